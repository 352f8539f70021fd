/** Buttons, notes and panels around the room. */

const $ = (selector) => document.querySelector(selector);

const WARES = [
  { name: 'a longsword', price: 40 },
  { name: 'a good axe', price: 25 },
  { name: 'six horseshoes', price: 9 },
];

export class Hud {
  muteButton = $('#mute');
  #gold = 60;

  /** `on`: what the game does at enter(), menu(open), weather(), overhear(on), retry(), bought(name). */
  constructor(on) {
    $('#enter').onclick = () => on.enter();
    $('#weather').onclick = () => on.weather();
    $('#overhear').onchange = (event) => on.overhear(event.target.checked);
    $('#retry').onclick = () => {
      $('#problem').hidden = true;
      on.retry();
    };
    $('#dismiss').onclick = () => ($('#problem').hidden = true);
    $('#open-menu').onclick = () => this.openMenu(on);
    $('#menu').addEventListener('close', () => on.menu(false));
    $('#close-shop').onclick = () => ($('#shop').hidden = true);
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !$('#menu').open && !$('#hud').hidden) {
        event.preventDefault();
        this.openMenu(on);
      }
    });
    // Or the space bar, which mutes, would press the button that was pressed last.
    for (const button of document.querySelectorAll('#hud button, #hud input'))
      button.addEventListener('click', () => button.blur());
    for (const ware of WARES) this.#lay(ware, on);
  }

  openMenu(on) {
    $('#menu').showModal();
    on.menu(true);
  }

  entering(busy) {
    $('#enter').disabled = busy;
    $('#enter').textContent = busy ? 'Opening the door …' : 'Enter';
  }

  entered() {
    $('#title').hidden = true;
    $('#hud').hidden = false;
  }

  /** The connection, in a word. */
  status({ status }) {
    const words = { open: 'open', connecting: 'connecting …', waiting: 'connection lost, trying again …' };
    $('#status').textContent = words[status] ?? 'closed';
    $('#status').dataset.status = status;
  }

  problem({ message, hint }) {
    $('#problem-message').textContent = message;
    $('#problem-hint').textContent = hint ?? '';
    $('#problem').hidden = false;
  }

  clearProblem() {
    $('#problem').hidden = true;
  }

  microphone({ level, muted } = {}) {
    const { style, dataset } = this.muteButton;
    style.setProperty('--level', Math.min(1, (level ?? 0) * 6));
    const state = level === undefined ? 'none' : muted ? 'muted' : 'open';
    if (dataset.state === state) return;
    dataset.state = state;
    const words = { none: 'No microphone', muted: 'Muted', open: 'Hold to mute' };
    this.muteButton.querySelector('span').textContent = words[state];
  }

  weather(raining) {
    $('#weather').textContent = raining ? 'Weather: rain' : 'Weather: sun';
  }

  openShop() {
    $('#shop').hidden = false;
  }

  #lay({ name, price }, on) {
    const button = document.createElement('button');
    button.append(name, Object.assign(document.createElement('b'), { textContent: `${price} gold` }));
    button.onclick = () => {
      if (price > this.#gold) return;
      this.#gold -= price;
      $('#gold').textContent = this.#gold;
      button.disabled = true;
      on.bought(name);
    };
    $('#wares').append(button);
  }
}

/** The game: its loop, and what happens when. What it asks of NPC Voice is in voices.js. */
import { Bubbles } from './bubbles.js';
import { drawPerson } from './draw-people.js';
import { drawObstacle, drawRoom } from './draw-room.js';
import { Hearing } from './hearing.js';
import { Hud } from './hud.js';
import { drawLight } from './light.js';
import { bringCast, Player } from './people.js';
import { HEIGHT, isWallBetween, OBSTACLES, WEATHER, WIDTH } from './room.js';
import { placeListener } from './sound.js';
import { Voices } from './voices.js';

const canvas = document.querySelector('canvas');
const ctx = canvas.getContext('2d');
const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const context = new AudioContext({ latencyHint: 'interactive' });
const people = bringCast();
const player = new Player();
const hearing = new Hearing();
const bubbles = new Bubbles(document.querySelector('#stage'));
const world = { raining: true, overhearing: false, paused: false };

const voices = new Voices(context, people, {
  status: (state) => hud.status(state),
  problem: (error) => hud.problem(error),
  caption: (person, line) => bubbles.show(person, line),
  hush: (person) => bubbles.end(person, performance.now()),
  cue: (person, id) => id === 'open_shop' && hud.openShop(),
  returned: () => openEars(),
});

const hud = new Hud({
  enter: () => void enter(),
  retry: () => void (voices.connected ? openEars() : enter()),
  menu: (open) => {
    world.paused = open;
    void voices.hold('menu', open);
  },
  weather: () => {
    world.raining = !world.raining;
    hud.weather(world.raining);
    void voices.setState({ weather: world.raining ? WEATHER.rain : WEATHER.sun });
  },
  overhear: (on) => (world.overhearing = on),
  bought: (name) => void people[0].npc?.say(`${name}. Wise choice. Oil it.`).catch(hud.problem),
});

void voices.setState({ weather: WEATHER.rain });

/** From a click: browsers let no page sound or listen before one. */
async function enter() {
  hud.entering(true);
  hud.clearProblem();
  try {
    void context.resume();
    await voices.leave();
    await voices.enter();
    hud.entered();
    await openEars();
  } catch (error) {
    hud.problem(error);
  } finally {
    hud.entering(false);
  }
}

/** Without a microphone the tavern is still worth a visit: it is said, and the game goes on. */
async function openEars() {
  hearing.forget();
  hud.clearProblem();
  if (voices.microphone) return;
  await voices.openMicrophone(hud.muteButton).catch((error) => hud.problem(error));
}

const heedFocus = () => void voices.hold('focus', document.hidden || !document.hasFocus());
for (const type of ['focus', 'blur']) addEventListener(type, heedFocus);
document.addEventListener('visibilitychange', heedFocus);

player.listen(canvas, ({ offsetX, offsetY }) => ({
  x: (offsetX / canvas.clientWidth) * WIDTH,
  y: (offsetY / canvas.clientHeight) * HEIGHT,
}));

let before = performance.now();
function frame(now) {
  const seconds = Math.min(0.05, (now - before) / 1000);
  before = now;
  if (!world.paused) {
    player.step(seconds);
    for (const person of people) person.step(seconds, player);
  }
  placeListener(context, player);
  for (const person of people) person.speaker?.place(person, isWallBetween(person, player));
  hearing.update(now, people, player, { ...world, microphone: voices.microphone });
  hud.microphone(voices.microphone);
  for (const person of people) bubbles.place(person, now, hearing.ofPlayer(person.id));
  draw(now);
  requestAnimationFrame(frame);
}

function draw(now) {
  const scale = Math.round(canvas.clientWidth * devicePixelRatio) / WIDTH;
  if (canvas.width !== WIDTH * scale) Object.assign(canvas, { width: WIDTH * scale, height: HEIGHT * scale });
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  const look = { night: darkScheme.matches, raining: world.raining, player };
  drawRoom(ctx, now, look);
  // Who stands farther up the screen is behind.
  const bodies = people.map((person) => ({
    y: person.y,
    draw: () => drawPerson(ctx, person.id, person, now, { weights: person.npc?.mouth, target: player }),
  }));
  bodies.push({ y: player.y, draw: () => drawPerson(ctx, 'player', player, now) });
  for (const obstacle of OBSTACLES)
    bodies.push({ y: obstacle.y + obstacle.h, draw: () => drawObstacle(ctx, obstacle, look.night) });
  for (const body of bodies.sort((a, b) => a.y - b.y)) body.draw();
  drawLight(ctx, now, look);
}
requestAnimationFrame(frame);

/** For the browser's console, and for tests. */
globalThis.tavern = { context, people, player, hearing, voices, world };

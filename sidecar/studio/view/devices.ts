/** Which microphone, which loudspeaker. */
import { h, icon } from '../dom';
import { ICONS } from '../icons';

export interface DeviceActions {
  setInput(deviceId: string | undefined): Promise<void>;
  setOutput(deviceId: string): Promise<void>;
  failed(error: unknown): void;
}

const canChooseOutput = 'setSinkId' in AudioContext.prototype;

export class Devices {
  readonly element: HTMLDetailsElement;
  readonly #input = h('select', { id: 'input-device' });
  readonly #output = h('select', { id: 'output-device' });

  constructor(actions: DeviceActions) {
    const chosen = (run: () => Promise<void>) => () => void run().catch(actions.failed);
    this.#input.addEventListener(
      'change',
      chosen(() => actions.setInput(this.#input.value || undefined)),
    );
    this.#output.addEventListener(
      'change',
      chosen(() => actions.setOutput(this.#output.value)),
    );
    this.element = h(
      'details',
      { class: 'devices' },
      h(
        'summary',
        { class: 'button quiet square', 'aria-label': 'Devices', title: 'Devices' },
        icon(ICONS.sliders),
      ),
      h(
        'div',
        { class: 'popover' },
        h('label', { for: 'input-device' }, 'Microphone'),
        this.#input,
        h('label', { for: 'output-device' }, 'Output'),
        this.#output,
        !canChooseOutput &&
          h('p', { class: 'hint' }, "This browser plays through the system's output device."),
      ),
    );
    this.#output.disabled = !canChooseOutput;
    this.element.addEventListener('toggle', () => void this.#list());
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.element.open = false;
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (!this.element.contains(target as Node)) this.element.open = false;
    });
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.#list());
    void this.#list();
  }

  async #list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    fill(this.#input, devices, 'audioinput');
    fill(this.#output, devices, 'audiooutput');
  }
}

function fill(select: HTMLSelectElement, devices: readonly MediaDeviceInfo[], kind: MediaDeviceKind): void {
  const chosen = select.value;
  // Browsers leave names and ids out until a microphone has been allowed.
  const named = devices.filter(
    (device) => device.kind === kind && device.deviceId !== '' && device.deviceId !== 'default',
  );
  select.replaceChildren(
    h('option', { value: '' }, "The system's default"),
    ...named.map((device, i) => h('option', { value: device.deviceId }, device.label || `Device ${i + 1}`)),
  );
  select.value = named.some((device) => device.deviceId === chosen) ? chosen : '';
}

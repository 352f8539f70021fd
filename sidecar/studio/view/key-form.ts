/** Where the address that the sidecar printed is pasted, once this page's key is of no use any more. */
import { h } from '../dom';
import { addressWithKey } from '../token';

export const STARTED_ANEW =
  'This sidecar was started anew. Open the address it printed last, or paste it here.';

export function keyForm(): HTMLFormElement {
  const input = h('input', {
    type: 'text',
    'aria-label': 'The address that the sidecar printed last',
    placeholder: `${location.origin}/#token=\u2026`,
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    on: { input: () => input.setCustomValidity('') },
  });
  const form = h(
    'form',
    {
      class: 'key-form',
      on: {
        submit: (event) => {
          event.preventDefault();
          const address = addressWithKey(input.value, location.href);
          // The same page with another fragment is not loaded anew by itself; see the listener of hashchange.
          if (address !== undefined) return location.assign(address);
          input.setCustomValidity('There is no key in this. The address ends in #token= and the key.');
          form.reportValidity();
        },
      },
    },
    input,
    h('button', { type: 'submit' }, 'Open'),
  );
  return form;
}

/** Light, dark, or as the system says; remembered. */
import { h, icon } from './dom';
import { ICONS } from './icons';

type Theme = 'auto' | 'light' | 'dark';
const KEY = 'npc-voice.theme';
const NEXT: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
const SHOWN: Record<Theme, { icon: string; label: string }> = {
  auto: { icon: ICONS.auto, label: 'Theme: as the system. Change to light' },
  light: { icon: ICONS.sun, label: 'Theme: light. Change to dark' },
  dark: { icon: ICONS.moon, label: "Theme: dark. Change to the system's" },
};

export function themeButton(): HTMLButtonElement {
  const stored = localStorage.getItem(KEY);
  let theme: Theme = stored === 'light' || stored === 'dark' ? stored : 'auto';
  const button = h('button', {
    class: 'quiet square',
    type: 'button',
    on: { click: () => set(NEXT[theme]) },
  });
  const set = (next: Theme): void => {
    theme = next;
    if (theme === 'auto') {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(KEY);
    } else {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem(KEY, theme);
    }
    button.replaceChildren(icon(SHOWN[theme].icon));
    button.setAttribute('aria-label', SHOWN[theme].label);
    button.title = SHOWN[theme].label;
  };
  set(theme);
  return button;
}

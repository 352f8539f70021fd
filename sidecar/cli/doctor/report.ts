import { pc } from '../../colours';

/** One thing looked at. `todo` says what to do about it, where there is something to do. */
export interface Finding {
  what: string;
  state: 'ok' | 'note' | 'bad';
  says: string;
  todo?: string;
}
export interface Section {
  title: string;
  findings: Finding[];
}

const marks = { ok: pc.green('ok  '), note: pc.yellow('note'), bad: pc.red('bad ') };

/** The sections as lines for a person. */
export function renderReport(sections: readonly Section[]): string {
  const width = Math.max(
    ...sections.flatMap((section) => section.findings.map((finding) => finding.what.length)),
  );
  const lines = sections.flatMap((section) => [
    pc.bold(section.title),
    ...section.findings.flatMap((finding) => [
      `  ${marks[finding.state]}  ${finding.what.padEnd(width)}  ${finding.says}`,
      ...(finding.todo === undefined ? [] : [`  ${' '.repeat(width + 6)}  ${pc.cyan('→')} ${finding.todo}`]),
    ]),
    '',
  ]);
  const bad = sections
    .flatMap((section) => section.findings)
    .filter((finding) => finding.state === 'bad').length;
  lines.push(
    bad === 0
      ? pc.green('Everything an NPC needs to talk is here.')
      : pc.red(`${bad} ${bad === 1 ? 'thing keeps' : 'things keep'} NPCs from talking; see "bad" above.`),
  );
  return lines.join('\n') + '\n';
}

/** `npc-voice doctor`: what is installed, what answers, and what to do about what is missing. */
import type { Command } from 'commander';
import { action } from '../failure';
import { castFolders, withCastFolders } from '../folders';

export function registerDoctorCommand(program: Command): void {
  withCastFolders(program.command('doctor'))
    .description(
      'Say what is installed, which codec and execution providers answer, and what to do about the rest.',
    )
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nEnds with 1 when something keeps NPCs from talking.')
    .action(
      action(async (options: { personas?: string; voices?: string; json?: boolean }) => {
        const [{ inspect }, { renderReport }] = await Promise.all([import('./inspect'), import('./report')]);
        const sections = await inspect(castFolders(options));
        process.stdout.write(
          options.json ? JSON.stringify(sections, null, 2) + '\n' : renderReport(sections),
        );
        const bad = sections.some((section) => section.findings.some((finding) => finding.state === 'bad'));
        process.exitCode = bad ? 1 : 0;
      }),
    );
}

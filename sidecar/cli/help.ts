/** The wording that commander brings along, in ours. */
import type { Command } from 'commander';

/** Words the help of a command and of all below it; call it when they are all there. */
export function wordHelp(command: Command): void {
  command.helpOption('-h, --help', 'show this help');
  if (command.commands.length === 0) return;
  for (const each of command.commands) wordHelp(each);
  command.helpCommand('help [command]', 'Show the help of a command.');
}

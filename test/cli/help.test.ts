/** What `--help` says, of every command there is. */
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { registerDoctorCommand } from '../../sidecar/cli/doctor';
import { wordHelp } from '../../sidecar/cli/help';
import { registerInitCommand } from '../../sidecar/cli/init';
import { registerModelCommands } from '../../sidecar/cli/model';
import { registerPersonaCommands } from '../../sidecar/cli/persona';
import { registerServeCommand } from '../../sidecar/cli/serve';
import { registerTalkCommand } from '../../sidecar/cli/talk';
import { packageRoot } from '../../sidecar/paths';

const program = new Command('npc-voice');
for (const register of [registerDoctorCommand, registerInitCommand, registerModelCommands, registerPersonaCommands, registerServeCommand, registerTalkCommand])
  register(program); // prettier-ignore
wordHelp(program);

const below = (command: Command): Command[] =>
  command.commands.flatMap((each) => [each as Command, ...below(each as Command)]);
const named = below(program).map(
  (command) => [`${command.parent!.name()} ${command.name()}`, command] as const,
);

describe.each(named)('%s', (_, command) => {
  test('is described by a sentence', () => {
    expect(command.description()).toMatch(/^[A-Z].*\.$/);
  });
  test('explains each option by a phrase, and each argument', () => {
    for (const { description } of command.options) expect(description).toMatch(/^(?![A-Z][a-z]).*[^.]$/);
    for (const { description } of command.registeredArguments) expect(description).not.toBe('');
  });
  test('names no folder of the machine it is installed on', () => {
    expect(command.helpInformation()).not.toContain(packageRoot);
  });
});

test('the help commands read as the others do', () => {
  for (const command of [program, ...program.commands.filter((each) => each.commands.length > 0)])
    expect(command.helpInformation()).toMatch(/help \[command\] +Show the help of a command\.\n/);
});

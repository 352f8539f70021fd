#!/usr/bin/env node
/** `npc-voice`: the sidecar's command line. Rooms are loaded by the commands that need them, so that it starts fast. */
import { Command } from 'commander';
import { version } from '../paths';
import { registerDoctorCommand } from './doctor';
import { wordHelp } from './help';
import { registerInitCommand } from './init';
import { registerModelCommands } from './model';
import { registerPersonaCommands } from './persona';
import { registerServeCommand } from './serve';
import { registerTalkCommand } from './talk';

const program = new Command('npc-voice')
  .description('Game characters that talk: a local sidecar that gives NPCs a full-duplex voice.')
  .version(version, '-v, --version')
  .showHelpAfterError('(npc-voice --help lists the commands)')
  .addHelpText(
    'after',
    `
Start here:
  $ npc-voice serve                 run the sidecar; open the address it prints and talk
  $ npc-voice init my-game          lay personas and voices into a game's project
  $ npc-voice persona lint          check every persona file
  $ npc-voice doctor                what is installed, what answers, what to do about the rest`,
  );

registerServeCommand(program);
registerDoctorCommand(program);
registerInitCommand(program);
registerPersonaCommands(program);
registerTalkCommand(program);
registerModelCommands(program);
wordHelp(program);

await program.parseAsync();

/** The persona file that `npc-voice persona new` and `npc-voice init` begin with. */

/** `old_tom` is called Old Tom. */
export function nameFromId(id: string): string {
  const words = id.split(/[_-]+/).filter(Boolean);
  return words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join(' ') || id;
}

/** Text of a commented, valid persona file. `voice` is a voice's id. */
export const personaTemplate = ({ name, voice }: { name: string; voice: string }): string =>
  `# yaml-language-server: $schema=./persona.schema.json
#
# Save this file while the game runs, and the ${name} you are talking to changes.
# Check it with: npc-voice persona lint

name: ${JSON.stringify(name)}

# Who it is, told to it as "you", in a few plain sentences. Begin as here: neural models learned from that.
role: >
  You enjoy having a good conversation. Have a friendly conversation about the village and its people.
  You are ${name}, who has lived here all your life and likes a visitor.

# What it knows, one sentence each. {variables} come from \`state\`.
facts:
  - The weather is {weather}.

# Variables the game may set while it runs, each with what it is until then.
state:
  player: stranger
  weather: fine

# A file in ../voices, without .yaml. Make your own there, or try another.
voice: ${voice}

turn_taking:
  patience_ms: 600 # silence after your last sound before it answers
  overlap: yield # when you cut in: yield | finish_word | hold | talk_over
  resume: false # true: afterwards it takes its line up again
  backchannels_per_minute: 6 # "mm-hm" while you talk

# Events for the game when it says a phrase; * is any one word.
cues:
  - id: offer_help
    says: [what can I do]

# What it says on the understudy, which hears that you spoke but not what: write answers to anything.
# Short clauses sound best. "Quote" a line that begins with a brace or has a colon and a space in it.
lines:
  greeting:
    - Hello, {player}. What can I do for you?
    - Oh, a visitor. Good.
  replies:
    - Is that so? Go on.
    - I would have to think about that. And I do not like to hurry.
    - Well. You may be right, {player}.
    - Funny you should say that. I said it once, and nobody listened.
    - Hm. Tell me more, from the beginning.
    - It is {weather} today, I will give you that much.
    - Some people would say so. I am not some people.
    - Ask me again, and I may say something else.
  interrupted:
    - Sorry. You were saying?
    - Go on, I can wait.
  idle:
    - Quiet, today.
    - Now, what was I doing.
  farewell:
    - Goodbye, {player}.
    - Come again.
  backchannels:
    - mm-hm
    - uh-huh
    - I see
`;

/**
 * The persona file: who a character is. One zod schema is the truth; `npc-personas/persona.schema.json`, which
 * editors complete and check from, is generated from it (`npc-voice persona schema`).
 */
import { z } from 'zod';

/** Ids name files, so nothing else may be in them. */
export const ID_PATTERN = /^[a-z0-9_-]{1,64}$/;
const id = z.string().regex(ID_PATTERN, 'an id is 1 to 64 of a-z, 0-9, _ and -');
const spoken = z.string().trim().min(1).max(600);
const lines = (what: string) => z.array(spoken).max(64).default([]).describe(what);

const sampling = z
  .strictObject({
    text_temperature: z.number().min(0).max(2).default(0.7).describe('0 is greedy'),
    text_top_k: z.int().min(1).max(1000).default(25),
    audio_temperature: z.number().min(0).max(2).default(0.8).describe('0 is greedy'),
    audio_top_k: z.int().min(1).max(2048).default(250),
  })
  .describe('How freely a neural duplex model chooses; the understudy has no use for it.');

const turnTaking = z
  .strictObject({
    patience_ms: z.int().min(100).max(5000).default(600)
      .describe("Silence after the player's last sound before this character takes the turn, milliseconds."),
    overlap: z.enum(['yield', 'finish_word', 'hold', 'talk_over']).default('yield')
      .describe('Cut in on: fall silent at once, end the word, end the clause, or go on regardless.'),
    resume: z.boolean().default(false).describe('After being cut in on, take the line up again where it stopped.'),
    backchannels_per_minute: z.number().min(0).max(20).default(6)
      .describe('"mm-hm" while the player talks on: how many in a minute of speech.'),
  })
  .describe('When it speaks, and what it does when spoken over.'); // prettier-ignore

const cue = z.strictObject({
  id: id.describe('The event the game receives.'),
  says: z.array(z.string().trim().min(1).max(200)).min(1).max(32)
    .describe('Phrases that set it off when this character says one; * stands for any one word. Case and punctuation do not matter.'),
}); // prettier-ignore

const understudyLines = z
  .strictObject({
    greeting: lines('Said when attached.'),
    replies: lines('Said when the player has finished speaking.'),
    interrupted: lines('Said when the player, having cut in, stops speaking. Empty: a reply.'),
    idle: lines('Said into a long quiet.'),
    idle_every_s: z.number().min(0).max(3600).default(45).describe('Seconds of quiet before an idle line; 0: never.'),
    farewell: lines('Said when detached with a farewell.'),
    backchannels: lines('"mm-hm", "uh-huh", "aye": said while the player talks on.'),
  })
  .describe('What the understudy says: variations of each kind. {variables} from state may be used.'); // prettier-ignore

export const personaSchema = z
  .strictObject({
    id: id.optional().describe("The character's id; default and rule: the file's name without .yaml."),
    name: z.string().trim().min(1).max(80).describe('What it is called.'),
    role: z.string().trim().min(1).max(1000)
      .describe('Who it is, told to it: "You enjoy having a good conversation. You are Aldric, ...". At most 1000 characters.'),
    facts: z.array(z.string().trim().min(1).max(300)).max(64).default([]).describe('What it knows. {variables} may be used.'),
    state: z.record(z.string().regex(/^[a-z_][a-z0-9_]{0,63}$/, 'a variable is a-z, 0-9 and _, not starting with a digit'),
        z.union([z.string().max(200), z.number(), z.boolean()])).default({})
      .describe('Variables the game may set, with what they are until it does; use them in text as {name}.'),
    voice: id.describe('A voice from the voices folder.'),
    language: z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'a language is like en or en-GB').default('en'),
    sampling: sampling.prefault({}),
    turn_taking: turnTaking.prefault({}),
    hearing: z.strictObject({
        range_m: z.number().min(0).max(1000).default(12).describe('How far it hears, metres: what engine plugins set gains by.'),
        echo_guard: z.boolean().default(true).describe('Do not take its own voice, leaking from the speakers, for the player.'),
      }).prefault({}),
    cues: z.array(cue).max(64).default([]).describe('Events for the game when this character says something.'),
    lines: understudyLines.prefault({}),
  })
  .describe('A character of NPC Voice.'); // prettier-ignore

/** A persona as the sidecar uses it: every default filled in. */
export type Persona = z.output<typeof personaSchema> & { id: string };
/** A persona as people write it. */
export type PersonaFile = z.input<typeof personaSchema>;

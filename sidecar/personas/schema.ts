/**
 * The persona file: who a character is. One zod schema is the truth; `npc-personas/persona.schema.json`, which
 * editors complete and check from, is generated from it (`npc-voice persona schema`). Descriptions are shown to
 * writers by their editors, so they are written for them.
 */
import { z } from 'zod';
import { ID_PATTERN, ID_RULE } from '../yaml/id';

export { ID_PATTERN } from '../yaml/id';

/** Longest line of the understudy, characters. */
export const MAX_LINE = 600;
/** PersonaPlex's own limit for a role text, characters. */
export const MAX_ROLE = 1000;
/** A variable of game state, as `state` declares it and text uses it in {braces}. */
export const VARIABLE_PATTERN = /^[a-z_][a-z0-9_]{0,63}$/;

const id = z.string().regex(ID_PATTERN, ID_RULE);
const spoken = z.string().trim().min(1).max(MAX_LINE);
const lines = (what: string, ...examples: string[]) =>
  z
    .array(spoken)
    .max(64)
    .default([])
    .meta({ description: what, examples: [examples] });

const sampling = z
  .strictObject({
    text_temperature: z.number().min(0).max(2).default(0.7)
      .describe('How freely it chooses its words: 0 always takes the likeliest, 0.7 is lively, above 1 rambles.'),
    text_top_k: z.int().min(1).max(1000).default(25)
      .describe('It chooses among this many likeliest word pieces.'),
    audio_temperature: z.number().min(0).max(2).default(0.8)
      .describe('How freely it varies its tone: 0 is flat, 0.8 natural, above 1 unsteady.'),
    audio_top_k: z.int().min(1).max(2048).default(250)
      .describe('It chooses among this many likeliest sounds.'),
  })
  .describe('How freely a neural duplex model chooses. The understudy has no use for it. Changes are heard at once.'); // prettier-ignore

const turnTaking = z
  .strictObject({
    patience_ms: z.int().min(100).max(5000).default(600)
      .describe('Silence after the player\'s last sound before this character speaks, milliseconds. 300 is eager, 600 polite, 1200 thoughtful.'),
    overlap: z.enum(['yield', 'finish_word', 'hold', 'talk_over']).default('yield')
      .meta({
        description: 'When the player cuts in: fall silent at once (yield), end the word (finish_word), end the clause (hold), or go on regardless (talk_over).',
        enumDescriptions: ['Falls silent at once.', 'Ends the word it is in.', 'Ends the clause it is in.', 'Goes on regardless.'],
      }),
    resume: z.boolean().default(false)
      .describe('After being cut in on, take the line up again where it stopped (true), or let it go (false).'),
    backchannels_per_minute: z.number().min(0).max(20).default(6)
      .describe('How often it says "mm-hm" while the player talks on: times in a minute of speech. 0: never.'),
  })
  .describe('When it speaks, and what it does when spoken over. Changes are heard at once.'); // prettier-ignore

const hearing = z
  .strictObject({
    range_m: z.number().min(0).max(1000).default(12)
      .describe('How far it hears, metres. The engine plugins turn the distance into a gain.'),
    echo_guard: z.boolean().default(true)
      .describe('Do not take its own voice, leaking from the player\'s speakers, for the player.'),
  })
  .describe('How well it hears.'); // prettier-ignore

const cue = z
  .strictObject({
    id: id.meta({ description: 'The event the game receives.', examples: ['open_shop'] }),
    says: z.array(z.string().trim().min(1).max(200)).min(1).max(32)
      .meta({
        description: 'Phrases that set it off when this character says one. * stands for any one word; case and punctuation do not matter.',
        examples: [['have a look at my wares', 'look at * * wares']],
      }),
  })
  .meta({ description: 'An event for the game when this character says a phrase.', defaultSnippets: [
    { label: 'cue', description: 'An event and the phrases that set it off', body: { id: '${1:open_shop}', says: ['${2:have a look}'] } },
  ] }); // prettier-ignore

const understudyLines = z
  .strictObject({
    greeting: lines('Said when the game attaches the character.', 'Well met, traveller.'),
    replies: lines('Said when the player has finished speaking. The understudy does not understand what was said: write openers, shrugs and questions that answer anything.', 'Hm. Say that again, slower.'),
    interrupted: lines('Said when the player, having cut in, stops speaking. Without any, a reply is said.', 'As I was saying.'),
    idle: lines('Said into a long quiet, to nobody in particular.', 'Cold night for it.'),
    idle_every_s: z.number().min(0).max(3600).default(45).describe('Seconds of quiet before an idle line. 0: never.'),
    farewell: lines('Said when the game detaches the character with a farewell.', 'Safe roads.'),
    backchannels: lines('Short sounds said while the player talks on.', 'mm-hm', 'aye'),
  })
  .describe('What the understudy says, chosen by chance and without repeating itself. Plain ASCII; {variables} from state may be used. It speaks clause by clause, so short clauses sound best.'); // prettier-ignore

const role = z
  .string()
  .trim()
  .min(1)
  .max(MAX_ROLE)
  .meta({
    description:
      'Who it is, told to it in the second person. PersonaPlex learned from two shapes: "You enjoy having a good conversation. You are Aldric, ..." and "You work for ... and your name is ...". At most 1000 characters; {variables} may be used.',
    examples: ['You enjoy having a good conversation. You are Aldric, a blacksmith in a mountain village.'],
  });

const state = z
  .record(
    z.string().regex(VARIABLE_PATTERN, 'a variable is a-z, 0-9 and _, not starting with a digit'),
    z.union([z.string().max(200), z.number(), z.boolean()]),
  )
  .default({})
  .meta({
    description:
      'Variables the game may set, each with what it is until then. Use them in role, facts and lines as {name}; {{ writes a brace.',
    examples: [{ gold: 12, weather: 'rain' }],
  });

export const personaSchema = z
  .strictObject({
    id: id.optional().describe("The character's id. It is the file's name without .yaml, so it need not be written."),
    name: z.string().trim().min(1).max(80).meta({ description: 'What it is called: in captions and in the studio.', examples: ['Aldric'] }),
    role,
    facts: z.array(z.string().trim().min(1).max(300)).max(64).default([])
      .meta({ description: 'What it knows, one sentence each. {variables} may be used. Changes are told to it at the next quiet moment.', examples: [['A longsword costs {sword_price} gold.']] }),
    state,
    voice: id.meta({ description: 'A voice: the name of a file in the voices folder, without .yaml.', examples: ['aldric'] }),
    language: z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'a language is like en or en-GB').default('en')
      .meta({ description: 'Its language. PersonaPlex and the understudy speak English.', examples: ['en', 'en-GB'] }),
    sampling: sampling.prefault({}),
    turn_taking: turnTaking.prefault({}),
    hearing: hearing.prefault({}),
    cues: z.array(cue).max(64).default([]).describe('Events for the game when this character says something.'),
    lines: understudyLines.prefault({}),
  })
  .meta({ title: 'NPC Voice persona', description: 'A character of NPC Voice.' }); // prettier-ignore

/** A persona as the sidecar uses it: every default filled in. */
export type Persona = z.output<typeof personaSchema> & { id: string };
/** A persona as people write it. */
export type PersonaFile = z.input<typeof personaSchema>;

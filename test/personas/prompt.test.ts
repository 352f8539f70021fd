/** Prompts in the shapes that PersonaPlex was trained on. */
import { expect, test } from 'vitest';
import { estimatePrompt, renderPrompt } from '../../sidecar/personas';

test('a casual role goes on into its facts, on one line', () => {
  expect(
    renderPrompt('You enjoy having a good conversation.\n  You are Ada\n', ['Bread costs 2', 'It rains!']),
  ).toBe('You enjoy having a good conversation. You are Ada. Bread costs 2. It rains!');
});
test('a service role lists them as information', () => {
  const role = 'You work for the Tin Otter which is an inn and your name is Marta.';
  expect(renderPrompt(role, ['A bed costs 6 silver.'])).toBe(`${role} Information: A bed costs 6 silver.`);
  expect(renderPrompt(role, [])).toBe(role);
});
test('the estimate counts words and marks, or characters, and a frame of 80 ms for each token', () => {
  // 4 words and a full stop are more than 20/4; 8 more for the tags, 64 frames for voice and silence.
  expect(estimatePrompt('You are a fine ox so.')).toEqual({ tokens: 15, seconds: 6.3 });
  const { tokens, seconds } = estimatePrompt('word '.repeat(100));
  expect(tokens).toBe(133);
  expect(seconds).toBe(15.8);
});

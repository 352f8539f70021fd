/** What ONNX Runtime says of a failure, for people. */

const LONGEST = 240;

/** Its first sentence without a full stop; not the place in its source and the failed condition that stand before it. */
export const reasonOf = (failure: string): string =>
  failure
    .trim()
    .split('\n')[0]!
    .replace(/^.* was false\. /, '')
    .replace(/\.$/, '')
    .slice(0, LONGEST);

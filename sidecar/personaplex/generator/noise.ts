/**
 * The randomness of speech: counter-based, so that a seat's draws depend on its seed and the number of the frame
 * alone, whatever else runs beside it and on whatever machine.
 */

/** Rotations of Threefry-2x32-20 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011, table 2). */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;
const ROUNDS = 20;

/** Two words of 32 random bits for a key and a counter, into `out`. */
export function threefry(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
  out: Uint32Array,
): void {
  const key2 = (PARITY ^ key0 ^ key1) | 0;
  let x0 = (counter0 + key0) | 0;
  let x1 = (counter1 + key1) | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const rotation = ROTATIONS[round & 7]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if ((round & 3) === 3) {
      const injection = (round + 1) >> 2;
      x0 = (x0 + (injection % 3 === 0 ? key0 : injection % 3 === 1 ? key1 : key2)) | 0;
      x1 =
        (x1 + ((injection + 1) % 3 === 0 ? key0 : (injection + 1) % 3 === 1 ? key1 : key2) + injection) | 0;
    }
  }
  out[0] = x0;
  out[1] = x1;
}

const words = new Uint32Array(2);

/** -ln(-ln u) of a uniform u strictly between 0 and 1: the largest of `logit + gumbel` is a draw from softmax. */
const gumbel = (word: number): number => -Math.log(-Math.log((word + 0.5) / 2 ** 32));

/**
 * Fills out[from .. from + count) with Gumbel noise.
 * @param seed any integer; its low 32 bits and the 32 above them count
 * @param frame which frame of the seat's conversation
 * @param stream which draw of the frame
 */
export function fillGumbel(
  out: Float32Array,
  from: number,
  count: number,
  seed: number,
  frame: number,
  stream: number,
): void {
  const [low, high] = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  for (let i = 0; i < count; i += 2) {
    threefry(low, high, frame, (stream << 16) | (i >> 1), words);
    out[from + i] = gumbel(words[0]!);
    if (i + 1 < count) out[from + i + 1] = gumbel(words[1]!);
  }
}

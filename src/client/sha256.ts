const WORD = 2 ** 32;

/** The first 32 bits after the point of this root of each of the first 64 primes: the constants of SHA-256. */
function fractionsOf(root: (prime: number) => number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return primes.map((prime) => ((root(prime) % 1) * WORD) | 0);
}

const ROUNDS = fractionsOf(Math.cbrt);
const START = fractionsOf(Math.sqrt).slice(0, 8);

const rotate = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/** The words of the text, with its end and its length, padded to blocks of 16 words. */
function wordsOf(text: string): number[] {
  const words: number[] = new Array(((text.length + 8) >> 6) * 16 + 16).fill(0);
  const put = (byte: number, index: number) => {
    words[index >> 2] = (words[index >> 2] as number) | (byte << (24 - (index % 4) * 8));
  };
  for (let index = 0; index < text.length; index++) put(text.charCodeAt(index), index);
  put(0x80, text.length);
  words[words.length - 1] = text.length * 8;
  return words;
}

/** The hash after one more block. */
function compress(hash: readonly number[], block: readonly number[]): number[] {
  const w = [...block];
  const at = (index: number) => w[index] as number;
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash;
  for (let i = 0; i < 64; i++) {
    if (i > 15) {
      const [x, y] = [at(i - 15), at(i - 2)];
      const [s0, s1] = [rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3), rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)];
      w[i] = (at(i - 16) + s0 + at(i - 7) + s1) | 0;
    }
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + (ROUNDS[i] as number) + at(i);
    const t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, index) => (word + (hash[index] as number)) | 0);
}

/** SHA-256 (FIPS 180-4) of ASCII text, as on platforms without `crypto.subtle`: React Native is one. */
export function sha256(text: string): Uint8Array {
  const words = wordsOf(text);
  let hash = START;
  for (let index = 0; index < words.length; index += 16) hash = compress(hash, words.slice(index, index + 16));
  return Uint8Array.from({ length: 32 }, (_, index) => (hash[index >> 2] as number) >> (24 - (index % 4) * 8));
}

import type { Bench } from '../bench.js';
import type { Section } from '../section.js';

/** A measurement that is not a contest of answers per second. */
export interface Study {
  readonly id: string;
  readonly title: string;
  run(bench: Bench): Promise<Omit<Section, 'id' | 'title'>>;
}

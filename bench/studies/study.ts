import type { Effort } from '../contest-run.js';
import type { Section } from '../section.js';

/** What a study has at hand. */
export interface Bench {
  /** URL of a PostgreSQL of its own. */
  readonly postgres: string;
  /** A folder that PostgreSQL can write to. */
  readonly directory: string;
  readonly effort: Effort;
  /** Only to see that it runs. */
  readonly isQuick: boolean;
}

/** A measurement that is no contest of answers per second. */
export interface Study {
  readonly id: string;
  readonly title: string;
  run(bench: Bench): Promise<Omit<Section, 'id' | 'title'>>;
}

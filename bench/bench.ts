/** How long and how often each server is measured. */
export interface Effort {
  /** Number of times that every server is restarted. */
  readonly restarts: number;
  /** Number of ABBA turns after each start. */
  readonly turns: number;
  /** Length of a slice in seconds. */
  readonly seconds: number;
}

/** What every measurement needs. */
export interface Bench {
  /** URL of a PostgreSQL server that only the benchmark uses. */
  readonly postgres: string;
  /** A folder to which PostgreSQL can write. */
  readonly directory: string;
  readonly effort: Effort;
  /** Whether this is only a trial run. */
  readonly isQuick: boolean;
}

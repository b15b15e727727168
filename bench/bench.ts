/** How long and how often is measured. */
export interface Effort {
  /** Times that every server is started anew. */
  readonly restarts: number;
  /** ABBA turns after each start. */
  readonly turns: number;
  /** Seconds of a slice. */
  readonly seconds: number;
}

/** What every measurement has at hand. */
export interface Bench {
  /** URL of a PostgreSQL of its own. */
  readonly postgres: string;
  /** A folder that PostgreSQL can write to. */
  readonly directory: string;
  readonly effort: Effort;
  /** Only to see that it runs. */
  readonly isQuick: boolean;
}

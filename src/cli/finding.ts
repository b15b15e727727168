/** The result of one check. */
export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** A sentence that also names the remedy. */
  readonly message: string;
}

/** What was found about one thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** A sentence that also says what to do. */
  readonly message: string;
}

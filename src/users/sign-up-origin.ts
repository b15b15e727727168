/**
 * When and from where somebody signed up, as far as it is known: by this the owner of a mailbox tells which sign-up is
 * theirs.
 */
export interface SignUpOrigin {
  readonly at?: Date | null;
  /** In words (`clientInWords`). */
  readonly from?: string | null;
}

/** What a mail says of it: the time in UTC, such as `2026-11-29 20:46 UTC`. */
export function originInWords({ at, from }: SignUpOrigin): { signedUpAt?: string; signedUpFrom?: string } {
  return {
    signedUpAt: at ? `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC` : undefined,
    signedUpFrom: from ?? undefined,
  };
}

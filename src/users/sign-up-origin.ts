/** When and from which client a sign-up was made. Mails show both, so that owners recognise their own sign-up. */
export interface SignUpOrigin {
  readonly at?: Date | null;
  /** A description of the client (`clientInWords`). */
  readonly from?: string | null;
}

/** The template data for an origin. The time is in UTC, such as `2026-11-29 20:46 UTC`. */
export function originInWords({ at, from }: SignUpOrigin): { signedUpAt?: string; signedUpFrom?: string } {
  return {
    signedUpAt: at ? `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC` : undefined,
    signedUpFrom: from ?? undefined,
  };
}

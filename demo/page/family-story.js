/** @typedef {'owner' | 'thief'} Holder */
/**
 * What demo/token-family.ts tells; tokens by the first letters of their `jti`.
 *
 * @typedef {{ kind: 'opened', received: string }
 *   | { kind: 'copied', presented: string }
 *   | { kind: 'rotated' | 'grace', by: Holder, presented: string, received: string }
 *   | { kind: 'refused', by: Holder, presented: string, isProof: boolean }
 *   | { kind: 'ended', reason: string }} Happening
 */
/** @typedef {{ owner?: string, thief?: string, graceLeft: number, happenings: readonly Happening[] }} Family */

/** @type {Readonly<Record<string, string>>} */
const REASONS = {
  replay: 'a used refresh token came back (replay)',
  logout: 'its owner signed out (logout)',
  'logout-all': 'its owner signed out everywhere (logout-all)',
  revoked: 'it was ended from another device (revoked)',
  'revoke-others': 'it was ended from another device (revoke-others)',
  'session-lifetime': 'it reached its end (session-lifetime)',
};

/** What the code of the owner's last refusal says about the end. @type {Readonly<Record<string, string>>} */
const ENDS = { refresh_token_reused: 'replay', session_expired: 'session-lifetime' };

/**
 * One line of the story.
 *
 * @param {Happening} happening
 * @returns {string}
 */
export function sentenceOf(happening) {
  switch (happening.kind) {
    case 'opened':
      return `Signed in: the first token is ${happening.received}.`;
    case 'copied':
      return `The thief has a copy of ${happening.presented}.`;
    case 'rotated':
      return `The ${happening.by} used ${happening.presented} up and got its successor ${happening.received}.`;
    case 'grace':
      return `The ${happening.by} used ${happening.presented} again, within the grace, and got the same successor ${happening.received}.`;
    case 'refused':
      return happening.isProof
        ? `The ${happening.by} came with ${happening.presented}, which was used before: proof of theft.`
        : `The ${happening.by} came with ${happening.presented} and was refused.`;
    case 'ended':
      return `The session has ended: ${REASONS[happening.reason] ?? happening.reason}.`;
  }
}

/** Why the session has ended; undefined while it has not. @param {Family} family */
export function endOf({ happenings }) {
  return happenings.find((each) => each.kind === 'ended')?.reason;
}

/** The refresh tokens, oldest first; the last is the live one. @param {Family} family */
export function tokensOf({ happenings }) {
  const received = happenings.flatMap((each) => (each.kind === 'opened' || each.kind === 'rotated' ? [each] : []));
  const [first] = received;
  // Of a long story the beginning is gone: then the first token is one that was presented.
  const root = first?.kind === 'rotated' ? [first.presented] : [];
  return [...root, ...received.map((each) => each.received)];
}

/**
 * The story with its end, as the owner learned it who can no longer ask: by the code of a refused refresh.
 *
 * @param {Family} family
 * @param {string} code
 * @returns {Family}
 */
export function withEnd(family, code) {
  const presented = family.owner ?? '';
  const isEnded = endOf(family) !== undefined;
  /** @type {Happening[]} */
  const end = isEnded ? [] : [{ kind: 'ended', reason: ENDS[code] ?? 'revoked' }];
  /** @type {Happening} */
  const refusal = { kind: 'refused', by: 'owner', presented, isProof: !isEnded && code === 'refresh_token_reused' };
  return { ...family, graceLeft: 0, happenings: [...family.happenings, refusal, ...end] };
}

/**
 * What to try next.
 *
 * @param {Family} family
 * @param {number} graceLeft milliseconds
 * @returns {string}
 */
export function hintOf(family, graceLeft) {
  const { owner, thief } = family;
  const live = tokensOf(family).at(-1);
  if (endOf(family)) return 'The session is over for owner and thief alike. Sign in to begin anew.';
  if (!thief) return 'Nothing is stolen yet: copy the refresh token.';
  if (owner === live && thief === live)
    return 'Both hold the live token. Whoever refreshes first leaves the other with a used one.';
  const late = owner === live ? 'thief' : 'owner';
  const parent = tokensOf(family).at(-2);
  if (graceLeft > 0 && parent === family[late])
    return `Within the grace, for ${Math.ceil(graceLeft / 1000)} s, both get the same successor, as after a lost answer. Later the ${late}’s next refresh exposes the theft.`;
  return `The ${late} holds a used token: the next refresh as the ${late} exposes the theft.`;
}

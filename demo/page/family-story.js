/** @typedef {'owner' | 'thief'} Holder */
/**
 * What demo/token-family.ts reports; tokens by the first letters of their `jti`.
 *
 * @typedef {{ kind: 'opened', received: string }
 *   | { kind: 'copied', presented: string }
 *   | { kind: 'rotated' | 'grace', by: Holder, presented: string, received: string }
 *   | { kind: 'no-key', by: Holder, presented: string }
 *   | { kind: 'refused', by: Holder, presented: string, isProof: boolean }
 *   | { kind: 'ended', reason: string }} FamilyEvent
 */
/** @typedef {{ isBound: boolean, owner?: string, thief?: string, graceLeft: number, events: readonly FamilyEvent[] }} Family */

/** @type {Readonly<Record<string, string>>} */
const REASONS = {
  replay: 'a used refresh token came back (replay)',
  logout: 'the owner signed out (logout)',
  'logout-all': 'the owner signed out everywhere (logout-all)',
  revoked: 'another device ended it (revoked)',
  'revoke-others': 'another device ended it (revoke-others)',
  'session-lifetime': 'it reached its longest lifetime (session-lifetime)',
};

/** What the code of the owner's last refusal says about the end. @type {Readonly<Record<string, string>>} */
const ENDS = { refresh_token_reused: 'replay', session_expired: 'session-lifetime', dpop_proof_invalid: 'logout' };

/**
 * What happened.
 *
 * @param {Family} family
 * @param {FamilyEvent} event
 * @returns {string}
 */
export function describeEvent(family, event) {
  const name = (/** @type {string} */ token) => nameOf(family, token);
  switch (event.kind) {
    case 'opened':
      return `The owner signed in and got ${name(event.received)}.`;
    case 'copied':
      return `The thief copied ${name(event.presented)}.`;
    case 'rotated':
      return `The ${event.by} refreshed with ${name(event.presented)} and got ${name(event.received)}.`;
    case 'grace':
      return `The ${event.by} refreshed with ${name(event.presented)} too, and got the same ${name(event.received)}.`;
    case 'no-key':
      return `The ${event.by} refreshed with ${name(event.presented)}, but without the key, and was refused.`;
    case 'refused':
      return event.isProof
        ? `The ${event.by} refreshed with ${name(event.presented)}, which was used before.`
        : `The ${event.by} refreshed with ${name(event.presented)} and was refused.`;
    case 'ended':
      return `The session has ended: ${REASONS[event.reason] ?? event.reason}.`;
  }
}

/**
 * Why the server did that; empty where the sentence says it.
 *
 * @param {Family} family
 * @param {FamilyEvent} event
 * @returns {string}
 */
export function whyOf({ isBound }, event) {
  switch (event.kind) {
    case 'opened':
      if (isBound)
        return 'A new sign-in opens a session. It is bound to a key of this browser, which no script can read.';
      return 'A new sign-in opens a session. The session has one live refresh token.';
    case 'copied':
      if (isBound)
        return 'The server cannot see a copy. But the key is not in the cookie, so the thief does not have it.';
      return 'The server cannot see a copy: both tokens are the same text.';
    case 'rotated':
      return 'The token was live. A refresh uses it up, and the next token is the live one.';
    case 'grace':
      return 'An answer can get lost, so a browser may repeat a request. For a short time the server answers it with the same token.';
    case 'no-key':
      return 'A refresh of this session needs a proof: a new text each time, signed with the key. A refusal ends nothing.';
    case 'refused':
      return event.isProof
        ? 'A used token came back: two people hold it. This is the proof of the theft.'
        : 'The session has no live token any more.';
    case 'ended':
      return event.reason === 'replay'
        ? 'The server cannot know which of the two is the thief. Only the owner can sign in again: the thief has no password.'
        : '';
  }
}

/** `token 2`: tokens are counted as they came. @param {Family} family @param {string} token */
export function nameOf(family, token) {
  const place = tokensOf(family).indexOf(token);
  return place < 0 ? `token ${token}` : `token ${place + 1}`;
}

/** Why the session has ended; undefined while it has not. @param {Family} family */
export function endOf({ events }) {
  return events.find((each) => each.kind === 'ended')?.reason;
}

/** The refresh tokens, oldest first; the last is the live one. @param {Family} family */
export function tokensOf({ events }) {
  const received = events.flatMap((each) => (each.kind === 'opened' || each.kind === 'rotated' ? [each] : []));
  const [first] = received;
  // The beginning of a long story is not kept: then the first token is one that was presented.
  const root = first?.kind === 'rotated' ? [first.presented] : [];
  return [...root, ...received.map((each) => each.received)];
}

/**
 * The story with its end, for an owner whose refresh was refused: the code says why. The server no longer answers.
 *
 * @param {Family} family
 * @param {string} code
 * @returns {Family}
 */
export function withEnd(family, code) {
  const presented = family.owner ?? '';
  const isEnded = endOf(family) !== undefined;
  /** @type {FamilyEvent[]} */
  const end = isEnded ? [] : [{ kind: 'ended', reason: ENDS[code] ?? 'revoked' }];
  /** @type {FamilyEvent} */
  const refusal = { kind: 'refused', by: 'owner', presented, isProof: !isEnded && code === 'refresh_token_reused' };
  return { ...family, graceLeft: 0, events: [...family.events, refusal, ...end] };
}

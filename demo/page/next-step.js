import { endOf, nameOf, tokensOf } from './family-story.js';

/** @typedef {import('./family-story.js').Family} Family */
/** @typedef {import('./family-story.js').Holder} Holder */
/** @typedef {{ hint: string, label: string, action: 'copy' | 'restart' | Holder }} Step */

/**
 * Finds the next step towards the end of the story, whatever was pressed before. Visitors need not wait for the grace
 * period: a token that is two refreshes old is proof at once.
 *
 * @param {Family} family
 * @param {number} graceLeft milliseconds
 * @returns {Step}
 */
export function nextStepOf(family, graceLeft) {
  const { owner, thief } = family;
  const tokens = tokensOf(family);
  const [live, parent] = [tokens.at(-1), tokens.at(-2)];
  if (endOf(family)) {
    const hint = 'The session is over for the owner and for the thief.';
    return { hint, label: 'Start again with a new account', action: 'restart' };
  }
  const liveName = nameOf(family, live ?? '');
  if (family.isBound) return nextWithKey(family, liveName);
  if (!thief) {
    const hint = `Your browser holds ${liveName} in a cookie. Malware on your machine can copy that cookie.`;
    return { hint, label: 'Next: the thief copies the token', action: 'copy' };
  }
  if (owner === live && thief === live) {
    const hint = `Both hold ${liveName}, which is live. The one who refreshes first leaves the other with a used token.`;
    return { hint, label: 'Next: the thief refreshes', action: 'thief' };
  }
  const late = owner === live ? 'thief' : 'owner';
  const early = late === 'owner' ? 'thief' : 'owner';
  const lateToken = family[late] ?? '';
  if (graceLeft > 0 && parent === lateToken) {
    const seconds = Math.ceil(graceLeft / 1000);
    const hint = `The ${late} still holds ${nameOf(family, lateToken)}. For ${seconds} s it gets the same ${liveName}, as after a lost answer. One more refresh by the ${early} ends that.`;
    return { hint, label: `Next: the ${early} refreshes again`, action: early };
  }
  const hint = `The ${late} holds ${nameOf(family, lateToken)}, which is used. The next refresh by the ${late} exposes the theft.`;
  return { hint, label: `Next: the ${late} refreshes`, action: late };
}

/**
 * The next step in the story of a session that is bound to a key. It ends with an owner who has noticed nothing.
 *
 * @param {Family} family
 * @param {string} liveName
 * @returns {Step}
 */
function nextWithKey(family, liveName) {
  const { events } = family;
  const copied = events.findLastIndex(({ kind }) => kind === 'copied');
  const refreshed = events.findIndex((each, place) => place > copied && each.kind === 'rotated' && each.by === 'owner');
  const refused = events.findLastIndex((each) => each.kind === 'no-key' && each.by === 'thief');
  if (copied < 0) {
    const hint = `Your browser holds ${liveName} in a cookie, and a key that no script can read. Malware copies the cookie.`;
    return { hint, label: 'Next: the thief copies the token', action: 'copy' };
  }
  const thiefs = `The thief holds ${nameOf(family, family.thief ?? '')}`;
  if (refused < copied) {
    const isLive = family.thief === tokensOf(family).at(-1);
    const hint = `${thiefs}, which is ${isLive ? 'live' : 'used'}. But only the owner has the key.`;
    return { hint, label: 'Next: the thief refreshes', action: 'thief' };
  }
  if (refreshed < copied) {
    const hint = 'The server refused the thief, and nothing has ended. The owner goes on as before.';
    return { hint, label: 'Next: the owner refreshes', action: 'owner' };
  }
  if (refused < refreshed) {
    const hint = `The owner now holds ${liveName}. ${thiefs}, which is used, and no key.`;
    return { hint, label: 'Next: the thief tries again', action: 'thief' };
  }
  const hint = 'The thief got nothing, and the owner is still signed in.';
  return { hint, label: 'Start again with a new account', action: 'restart' };
}

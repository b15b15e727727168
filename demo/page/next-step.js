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

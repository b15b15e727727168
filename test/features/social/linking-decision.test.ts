import { expect, test } from 'vitest';
import { type AddressOwner, decideLinking, type LinkingFacts } from '../../../src/features/social/linking-decision.js';

const OWNERS: readonly AddressOwner[] = ['no-user', 'invited', 'confirmed', 'unconfirmed'];
const BOTH = [true, false];

/** Every combination of facts. */
const ALL: readonly LinkingFacts[] = BOTH.flatMap((isConnected) =>
  BOTH.flatMap((isEmailVerified) =>
    BOTH.flatMap((isEmailTrusted) =>
      BOTH.flatMap((isSignUpOpen) =>
        OWNERS.map((owner) => ({ isConnected, isEmailVerified, isEmailTrusted, isSignUpOpen, owner })),
      ),
    ),
  ),
);

const those = (facts: Partial<LinkingFacts>) =>
  ALL.filter((each) => Object.entries(facts).every(([name, value]) => each[name as keyof LinkingFacts] === value));
const outcomes = (facts: Partial<LinkingFacts>) => {
  const all = those(facts).map((each) => Object.values(decideLinking(each))[0]);
  expect(all.length).toBeGreaterThan(0);
  return [...new Set(all)].toSorted();
};

test('a connected account signs its user in, whatever the address', () => {
  expect(outcomes({ isConnected: true })).toEqual(['sign-in']);
});

const fresh = { isConnected: false } as const;
const verified = { ...fresh, isEmailVerified: true } as const;

test('an address that the provider has not verified is refused', () => {
  expect(outcomes({ ...fresh, isEmailVerified: false })).toEqual(['provider_email_not_verified']);
});

test('a free address makes a new user, if people may sign up, whether or not the provider is trusted', () => {
  expect(outcomes({ ...verified, owner: 'no-user', isSignUpOpen: true })).toEqual(['sign-up']);
  expect(outcomes({ ...verified, owner: 'no-user', isSignUpOpen: false })).toEqual(['sign_up_not_allowed']);
});

test('the address of an existing user is connected only if the user has proved it and the provider is trusted', () => {
  const trusted = { ...verified, isEmailTrusted: true };
  expect(outcomes({ ...trusted, owner: 'confirmed' })).toEqual(['connect']);
  expect(outcomes({ ...trusted, owner: 'invited' })).toEqual(['accept-invitation']);
  expect(outcomes({ ...trusted, owner: 'unconfirmed' })).toEqual(['email_already_registered']);
  for (const owner of ['confirmed', 'invited', 'unconfirmed'] as const)
    expect(outcomes({ ...verified, isEmailTrusted: false, owner })).toEqual(['email_already_registered']);
});

test('nothing is connected or created without a verified address', () => {
  for (const facts of ALL) {
    const decision = decideLinking(facts);
    if (!('action' in decision) || decision.action === 'sign-in') continue;
    expect(facts.isEmailVerified).toBe(true);
    if (decision.action !== 'sign-up') expect(facts.isEmailTrusted).toBe(true);
  }
});

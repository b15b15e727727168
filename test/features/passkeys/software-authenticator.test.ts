import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type WebAuthnCredential,
} from '@simplewebauthn/server';
import { decodeClientDataJSON } from '@simplewebauthn/server/helpers';
import { describe, expect, test } from 'vitest';
import { encodeCbor } from '../../../src/features/passkeys/testing/cbor.js';
import {
  type Forgery,
  type PasskeyAlgorithm,
  type PasskeyAssertion,
  type PasskeyRegistration,
  SoftwareAuthenticator,
  type SoftwareAuthenticatorOptions,
} from '../../../src/features/passkeys/testing/index.js';

const ORIGIN = 'https://login.example.com';
const RP_ID = 'example.com';
const ALGORITHMS = { ES256: -7, EdDSA: -8, RS256: -257 } as const;

const authenticatorWith = (options: Partial<SoftwareAuthenticatorOptions> = {}) =>
  new SoftwareAuthenticator({ origin: ORIGIN, ...options });

/** The options of a server for a new passkey. */
const creationOptions = (more: Partial<Parameters<typeof generateRegistrationOptions>[0]> = {}) =>
  generateRegistrationOptions({
    rpName: 'Example',
    rpID: RP_ID,
    userName: 'ada@example.com',
    supportedAlgorithmIDs: Object.values(ALGORITHMS),
    ...more,
  });
const requestOptions = (allowed: string[] = []) =>
  generateAuthenticationOptions({ rpID: RP_ID, allowCredentials: allowed.map((id) => ({ id })) });

const verifyRegistration = (response: PasskeyRegistration, expectedChallenge: string) =>
  verifyRegistrationResponse({ response, expectedChallenge, expectedOrigin: ORIGIN, expectedRPID: RP_ID });

const verifyAssertion = (response: PasskeyAssertion, expectedChallenge: string, credential: WebAuthnCredential) =>
  verifyAuthenticationResponse({
    response,
    expectedChallenge,
    expectedOrigin: ORIGIN,
    expectedRPID: RP_ID,
    credential,
  });

/** Registers a passkey. @returns what a server keeps of it */
async function register(authenticator: SoftwareAuthenticator): Promise<WebAuthnCredential> {
  const options = await creationOptions();
  const { registrationInfo } = await verifyRegistration(authenticator.create(options), options.challenge);
  return registrationInfo?.credential as WebAuthnCredential;
}

test('an app of Android uses passkeys of the domain, with its own origin', async () => {
  const origin = `android:apk-key-hash:${'A'.repeat(43)}`;
  const authenticator = authenticatorWith({ origin });
  const { response } = authenticator.create(await creationOptions());
  expect(decodeClientDataJSON(response.clientDataJSON).origin).toBe(origin);
  const used = authenticator.get(await requestOptions());
  expect(decodeClientDataJSON(used.response.clientDataJSON)).toMatchObject({ type: 'webauthn.get', origin });
});

test('an error of the server in place of its options is named', () => {
  const given = (answer: unknown) => [
    () => authenticatorWith().create(answer as never),
    () => authenticatorWith().get(answer as never),
  ];
  for (const dialog of given({ status: 404, code: 'not_found' }))
    expect(dialog).toThrow(/^(create|get) needs the options of the server, but got the error 404 not_found$/);
  const [create, get] = given(undefined);
  expect(create).toThrow('create needs the options of the server, but got a value without rp');
  expect(get).toThrow('get needs the options of the server, but got a value without challenge');
});

describe('a registration', () => {
  test.each(Object.keys(ALGORITHMS) as PasskeyAlgorithm[])('with %s is what a browser sends', async (algorithm) => {
    const aaguid = 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4';
    const authenticator = authenticatorWith({ algorithm, aaguid });
    const options = await creationOptions();
    const answer = authenticator.create(options);
    const { verified, registrationInfo } = await verifyRegistration(answer, options.challenge);
    expect(verified).toBe(true);
    const { credential, ...others } = registrationInfo as NonNullable<typeof registrationInfo>;
    expect(others).toMatchObject({
      fmt: 'none',
      aaguid,
      credentialType: 'public-key',
      userVerified: true,
      credentialDeviceType: 'multiDevice',
      credentialBackedUp: true,
      origin: ORIGIN,
      rpID: RP_ID,
    });
    const { id } = answer;
    expect(credential).toMatchObject({ id, counter: 0, transports: ['internal', 'hybrid'] });
    expect(answer).toEqual({
      id,
      rawId: id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: expect.any(String),
        attestationObject: expect.any(String),
        authenticatorData: Buffer.from(others.attestationObject)
          .subarray(-authDataLength(answer))
          .toString('base64url'),
        transports: ['internal', 'hybrid'],
        publicKey: expect.any(String),
        publicKeyAlgorithm: ALGORITHMS[algorithm],
      },
    });
    expect(decodeClientDataJSON(answer.response.clientDataJSON)).toEqual({
      type: 'webauthn.create',
      challenge: options.challenge,
      origin: ORIGIN,
      crossOrigin: false,
    });
    const spki = Buffer.from(answer.response.publicKey, 'base64url');
    await crypto.subtle.importKey('spki', spki, IMPORT[algorithm], true, ['verify']);
    const { id: userHandle, name: userName } = options.user;
    expect(authenticator.passkeys).toMatchObject([{ id, rpId: RP_ID, userHandle, userName, counter: 0 }]);
  });

  const authDataLength = ({ response }: PasskeyRegistration) =>
    Buffer.from(response.authenticatorData, 'base64url').length;
  const IMPORT = {
    ES256: { name: 'ECDSA', namedCurve: 'P-256' },
    EdDSA: { name: 'Ed25519' },
    RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  };

  test.each([
    ['bound to the device', { isBackupEligible: false }, 'singleDevice', false],
    ['not synchronized yet', { isBackedUp: false }, 'multiDevice', false],
    ['synchronized', {}, 'multiDevice', true],
  ])('of a passkey that is %s has its flags', async (_, options, credentialDeviceType, credentialBackedUp) => {
    const creation = await creationOptions();
    const answer = authenticatorWith(options).create(creation);
    const { registrationInfo } = await verifyRegistration(answer, creation.challenge);
    expect(registrationInfo).toMatchObject({ credentialDeviceType, credentialBackedUp });
  });

  test('of a security key has its transport', async () => {
    const answer = authenticatorWith({ transports: ['usb'] }).create(await creationOptions());
    expect([answer.response.transports, answer.authenticatorAttachment]).toEqual([['usb'], 'cross-platform']);
  });

  test('replaces the passkey of the same user, and no other', async () => {
    const authenticator = authenticatorWith();
    const [ada, bob] = [await creationOptions(), await creationOptions({ userName: 'bob@example.com' })];
    const first = authenticator.create(ada).id;
    const second = authenticator.create(bob).id;
    const third = authenticator.create({ ...ada, challenge: 'AAAA' }).id;
    expect(authenticator.passkeys.map(({ id }) => id)).toEqual([second, third]);
    expect(first).not.toBe(third);
  });

  test('is refused as in a browser', async () => {
    const authenticator = authenticatorWith();
    const { id } = await register(authenticator);
    const excluding = await creationOptions({ excludeCredentials: [{ id }] });
    const foreign = await creationOptions({ rpID: 'ample.com' });
    const onlyRsa = await creationOptions({ supportedAlgorithmIDs: [ALGORITHMS.RS256] });
    for (const [options, name] of [
      [excluding, 'InvalidStateError'],
      [foreign, 'SecurityError'],
      [onlyRsa, 'NotSupportedError'],
    ] as const) {
      expect(() => authenticator.create(options)).toThrow(expect.objectContaining({ name }));
    }
    expect(authenticator.passkeys).toHaveLength(1);
    expect(authenticatorWith().create(excluding).id).not.toBe(id);
  });

  test.each<[string, Forgery, RegExp]>([
    ['origin', { origin: 'https://evil.example' }, /origin/],
    ['RP id', { rpId: 'evil.example' }, /RP ID/],
    ['type', { type: 'webauthn.get' }, /type/],
    ['challenge', { challenge: 'AAAA' }, /challenge/],
    ['user', { isUserPresent: false }, /present/],
    ['verification', { isUserVerified: false }, /verif/],
    ['backup state', { isBackupEligible: false }, /backed up/],
  ])('with a forged %s is refused by a server', async (_, forged, message) => {
    const options = await creationOptions();
    const answer = authenticatorWith().create(options, forged);
    await expect(verifyRegistration(answer, options.challenge)).rejects.toThrow(message);
  });
});

describe('a sign-in', () => {
  test.each(Object.keys(ALGORITHMS) as PasskeyAlgorithm[])('with %s is what a browser sends', async (algorithm) => {
    const authenticator = authenticatorWith({ algorithm });
    const credential = await register(authenticator);
    const options = await requestOptions();
    const answer = authenticator.get(options);
    const { verified, authenticationInfo } = await verifyAssertion(answer, options.challenge, credential);
    expect(verified).toBe(true);
    expect(authenticationInfo).toMatchObject({
      credentialID: credential.id,
      newCounter: 0,
      userVerified: true,
      credentialDeviceType: 'multiDevice',
      credentialBackedUp: true,
    });
    expect(answer).toEqual({
      id: credential.id,
      rawId: credential.id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: expect.any(String),
        authenticatorData: expect.any(String),
        signature: expect.any(String),
        userHandle: authenticator.passkeys[0]?.userHandle,
      },
    });
    const other = await register(authenticatorWith({ algorithm }));
    const foreign = { ...credential, publicKey: other.publicKey };
    expect(await verifyAssertion(answer, options.challenge, foreign)).toMatchObject({ verified: false });
  });

  test('counts if the passkey is bound to the device, or if a test says so', async () => {
    for (const [options, counters] of [
      [{ isBackupEligible: false }, [1, 2, 3]],
      [{ isCounting: true }, [1, 2, 3]],
      [{ isBackupEligible: false, isCounting: false }, [0, 0, 0]],
      [{}, [0, 0, 0]],
    ] as const) {
      const authenticator = authenticatorWith(options);
      const credential = await register(authenticator);
      const counted: unknown[] = [];
      for (let use = 0; use < 3; use++) {
        const { challenge } = await requestOptions();
        const answer = authenticator.get({ challenge, rpId: RP_ID });
        const { authenticationInfo } = await verifyAssertion(answer, challenge, credential);
        credential.counter = authenticationInfo.newCounter;
        counted.push(credential.counter);
      }
      expect(counted).toEqual(counters);
    }
  });

  test('with a counter that goes back is refused by a server', async () => {
    const authenticator = authenticatorWith();
    const credential = { ...(await register(authenticator)), counter: 5 };
    const { challenge } = await requestOptions();
    const answer = authenticator.get({ challenge, rpId: RP_ID }, { counter: 4 });
    await expect(verifyAssertion(answer, challenge, credential)).rejects.toThrow(/counter/);
  });

  test.each<[string, Forgery, RegExp]>([
    ['origin', { origin: 'https://evil.example' }, /origin/],
    ['RP id', { rpId: 'evil.example' }, /RP ID/],
    ['type', { type: 'webauthn.create' }, /type/],
    ['challenge', { challenge: 'AAAA' }, /challenge/],
    ['user', { isUserPresent: false }, /present/],
    ['verification', { isUserVerified: false }, /verif/],
    ['backup state', { isBackupEligible: false }, /backed up/],
  ])('with a forged %s is refused by a server', async (_, forged, message) => {
    const authenticator = authenticatorWith();
    const credential = await register(authenticator);
    const options = await requestOptions();
    const answer = authenticator.get(options, forged);
    await expect(verifyAssertion(answer, options.challenge, credential)).rejects.toThrow(message);
  });

  test('sends another user handle, none, or more client data if a test says so', async () => {
    const authenticator = authenticatorWith();
    await register(authenticator);
    const options = await requestOptions();
    expect(authenticator.get(options, { userHandle: 'AAAA' }).response.userHandle).toBe('AAAA');
    expect(authenticator.get(options, { userHandle: null }).response).not.toHaveProperty('userHandle');
    const { response } = authenticator.get(options, { clientData: { crossOrigin: true, topOrigin: 'https://a.test' } });
    expect(decodeClientDataJSON(response.clientDataJSON)).toMatchObject({
      crossOrigin: true,
      topOrigin: 'https://a.test',
    });
  });

  test('uses the newest passkey that the server allows, or the one that a test chooses', async () => {
    const authenticator = authenticatorWith();
    const [first, second] = [await register(authenticator), await register(authenticator)];
    const id = async (allowed: string[] = [], passkey?: string) =>
      authenticator.get(await requestOptions(allowed), { passkey }).id;
    expect(await id()).toBe(second.id);
    expect(await id([first.id])).toBe(first.id);
    expect(await id([first.id, second.id])).toBe(second.id);
    expect(await id([], first.id)).toBe(first.id);
  });

  test('is refused as in a browser', async () => {
    const authenticator = authenticatorWith();
    const { id } = await register(authenticator);
    const options = await requestOptions();
    const refusals: [Parameters<typeof authenticator.get>[0], string][] = [
      [{ ...options, allowCredentials: [{ id: 'AAAA' }] }, 'NotAllowedError'],
      [{ ...options, rpId: 'login.example.com' }, 'NotAllowedError'],
      [{ ...options, rpId: 'evil.example' }, 'SecurityError'],
    ];
    for (const [refused, name] of refusals)
      expect(() => authenticator.get(refused)).toThrow(expect.objectContaining({ name }));
    authenticator.remove('AAAA');
    expect(authenticator.get(options).id).toBe(id);
    authenticator.remove(id);
    expect(() => authenticator.get(options)).toThrow(expect.objectContaining({ name: 'NotAllowedError' }));
  });
});

test.each<[Parameters<typeof encodeCbor>[0], string]>([
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [100, '1864'],
  [1000, '1903e8'],
  [-1, '20'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [new Uint8Array([1, 2, 3, 4]), '4401020304'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['\u00fc', '62c3bc'],
  ['\u6c34', '63e6b0b4'],
  [new Map(), 'a0'],
  [new Map([[1, 2] as const, [3, 4] as const]), 'a201020304'],
])('CBOR of %j is as in appendix A of RFC 8949', (value, expected) => {
  expect(encodeCbor(value).toString('hex')).toBe(expected);
});

test('the CBOR encoder refuses byte strings of 64 KiB and more', () => {
  expect(encodeCbor(new Uint8Array(65_535)).length).toBe(65_538);
  expect(() => encodeCbor(new Uint8Array(65_536))).toThrow(RangeError);
});

import { describe, expect, test } from 'vitest';
import { authError } from '../../../src/error-table.js';
import { isReturnUrlRule, ReturnUrls } from '../../../src/features/social/return-urls.js';
import { withFragment, withRefusal } from '../../../src/http/redirect-urls.js';
import { secondFactorRequired } from '../../../src/sign-in/challenge.js';

const RULES = ['https://app.example.com/in', 'https://other.example.com:8443', 'com.example.app://signed-in'];
const urls = new ReturnUrls('https://app.example.com/base/auth', RULES);
const byDefault = new ReturnUrls('https://app.example.com/base/auth', []);

const resolve = (returnTo: unknown, by = urls) => {
  try {
    return by.resolve(returnTo);
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('the URLs to return to', () => {
  test.each([
    ['https://app.example.com/in', 'https://app.example.com/in'],
    ['https://APP.example.com/in/', 'https://app.example.com/in/'],
    ['https://app.example.com:443/in/side?a=b', 'https://app.example.com/in/side?a=b'],
    ['/in/side', 'https://app.example.com/in/side'],
    ['https://other.example.com:8443/', 'https://other.example.com:8443/'],
    [
      'https://other.example.com:8443/any?next=https://evil.example',
      'https://other.example.com:8443/any?next=https://evil.example',
    ],
    ['com.example.app://signed-in', 'com.example.app://signed-in'],
    ['com.example.app://signed-in/now', 'com.example.app://signed-in/now'],
  ])('include %s', (returnTo, expected) => {
    expect(resolve(returnTo)).toBe(expected);
  });

  test.each([
    'https://app.example.com/',
    'https://app.example.com/inside',
    'https://app.example.com/in/../out',
    'https://app.example.com/in/%2e%2e/out',
    'https://app.example.com/in/..%2fout',
    'https://app.example.com/in/%5c..%5cout',
    'http://app.example.com/in',
    'https://app.example.com:8443/in',
    'https://app.example.com./in',
    'https://app.example.com.evil.example/in',
    'https://app.example.com@evil.example/in',
    'https://evil.example#@app.example.com/in',
    'https://evil.example\\@app.example.com/in',
    'https://user@app.example.com/in',
    'https://user:pass@app.example.com/in',
    'https://app.example.com/in#fragment',
    'https://evil.example/in',
    'https:app.example.com/in',
    'https:/app.example.com/in',
    'https:///app.example.com/in',
    'https:\\\\app.example.com/in',
    '//app.example.com/in',
    '//evil.example/in',
    '///evil.example/in',
    '/\\evil.example/in',
    '\\/evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' https://app.example.com/in',
    'https://app.example.com/in ',
    'https://app.example.com/in\u0000',
    'https://app.example.com/in\r\nSet-Cookie: a=b',
    'https://app\u2024example.com.evil.example/in',
    'in/side',
    '?a=b',
    '#a',
    '',
    'javascript:alert(1)',
    'javascript://app.example.com/in%0aalert(1)',
    'data:text/html,hello',
    'blob:https://app.example.com/in',
    'com.example.app://signed-in.evil/now',
    'com.example.app:signed-in',
    'com.example.other://signed-in',
    `https://app.example.com/in/${'a'.repeat(2000)}`,
    null,
    7,
    ['https://app.example.com/in'],
  ])('do not include %s', (returnTo) => {
    expect(resolve(returnTo)).toBe('return_url_not_allowed');
  });

  test('are by default all paths of the origin of PUBLIC_URL, and its root without a `returnTo`', () => {
    expect(resolve(undefined, byDefault)).toBe('https://app.example.com/');
    expect(resolve('/anything?a=b', byDefault)).toBe('https://app.example.com/anything?a=b');
    expect(resolve('https://other.example.com:8443/', byDefault)).toBe('return_url_not_allowed');
  });

  test('have the first rule as the default, if the root of PUBLIC_URL is not allowed', () => {
    expect(resolve(undefined)).toBe('https://app.example.com/in');
  });

  test('get an error in the query and secrets in the fragment', () => {
    const late = authError('too_many_requests', { retryAfter: 60 });
    expect(withRefusal('https://app.example.com/in?a=b&error=old', late)).toBe(
      'https://app.example.com/in?a=b&error=too_many_requests#status=429&retry_after=60',
    );
    expect(withRefusal('com.example.app://in', authError('email_already_registered'))).toBe(
      'com.example.app://in?error=email_already_registered#status=409',
    );
    const challenge = secondFactorRequired({ challenge: 'c', methods: ['totp', 'recovery_code'], expires_in: 300 });
    expect(withRefusal('https://app.example.com/in?a=b', challenge)).toBe(
      'https://app.example.com/in?a=b#error=second_factor_required&status=401&challenge=c' +
        '&methods=totp%2Crecovery_code&expires_in=300',
    );
    expect(withFragment('https://app.example.com/in?a=b', { code: 'a b' })).toBe(
      'https://app.example.com/in?a=b#code=a+b',
    );
    expect(withFragment('com.example.app://signed-in', { code: 'x' })).toBe('com.example.app://signed-in#code=x');
  });
});

describe('a rule of SOCIAL_RETURN_URLS', () => {
  test.each(RULES)('can be %s', (rule) => {
    expect(isReturnUrlRule(rule)).toBe(true);
  });

  test.each([
    'app.example.com',
    '/in',
    'https://app.example.com/in?a=b',
    'https://app.example.com/in#a',
    'https://user@app.example.com',
    'https://*.example.com\\',
    'javascript://app.example.com',
    'https://app.example.com/%2e%2e/',
    'https:///',
    '',
    7,
  ])('cannot be %s', (rule) => {
    expect(isReturnUrlRule(rule)).toBe(false);
  });
});

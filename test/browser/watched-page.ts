import type { Page } from 'playwright-core';
import { PUBLIC_URL } from '../support/mail-app.js';

/** Inspects a page, in the browser. */
export const LOOK = `({
  isWide: document.documentElement.scrollWidth > innerWidth,
  background: getComputedStyle(document.body).backgroundColor,
  small: [...document.querySelectorAll('a, button, input:not([hidden])')]
    .filter((element) => element.getBoundingClientRect().height < 44)
    .map(({ tagName }) => tagName),
  headings: document.querySelectorAll('h1').length,
})`;

/** The result of `LOOK` for a correct page. */
export const WELL = (colorScheme: 'light' | 'dark') => ({
  isWide: false,
  background: colorScheme === 'dark' ? 'rgb(17, 24, 39)' : 'rgb(243, 244, 246)',
  small: [],
  headings: 1,
});

/**
 * What a page must not do, recorded as it happens: console errors, refused requests, requests to other servers or with
 * a key, and a page without a policy.
 */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    const isExpected = /status of (400|403|429)/.test(message.text());
    if (message.type() === 'error' && !isExpected) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== PUBLIC_URL) faults.push(`a request to ${new URL(request.url()).origin}`);
    const { referer = '' } = request.headers();
    if (/[\w-]{43}/.test(referer)) faults.push('a key in a Referer');
  });
  page.on('response', (response) => {
    const { 'content-security-policy': policy = '', 'content-type': type = '' } = response.headers();
    const isPage = type.startsWith('text/html') && new URL(response.url()).origin === PUBLIC_URL;
    if (isPage && !policy.startsWith("default-src 'none'")) faults.push(`a page without a policy: ${response.url()}`);
  });
  return faults;
}

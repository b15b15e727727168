import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';
import type { JwtAllauth, ModuleSettings, Settings } from 'jwt-allauth';
import { tokenOf } from './cookie-token.js';

const PAGE = fileURLToPath(new URL('../../demo/page', import.meta.url));
const LIBRARY = fileURLToPath(new URL('../src', import.meta.url));

/** The modules of the library's browser client; the rest of the library stays on the server. */
const CLIENT = /^\/(client\/[\w-]+|features\/[\w-]+\/[\w-]+\.client)\.js$/;

/** No inline code, nothing from other servers, and no framing. The QR code of an authenticator app is a `data:` image. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

function setHeaders(response: Response): void {
  response.setHeader('Content-Security-Policy', POLICY);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cache-Control', 'no-cache');
}

/**
 * Serves the demo's page at `/`, the library's browser client, and the settings that the page needs at `/demo.json`.
 */
export function servePage(app: Express, auth: JwtAllauth, isDevelopment: boolean): void {
  const settings: Settings & Partial<ModuleSettings> = auth.settings;
  const passkeyDomain = settings.passkeyRpId ?? URL.parse(settings.publicUrl ?? '')?.hostname;
  app.get('/', (request, response, next) => {
    // Browsers make passkeys for a domain, and not for an IP address.
    const [, port] = /^127\.0\.0\.1(:\d+)$/.exec(request.headers.host ?? '') ?? [];
    if (!port || passkeyDomain !== 'localhost') return next();
    response.redirect(`http://localhost${port}${request.url}`);
  });
  app.get('/demo.json', (request, response) => {
    setHeaders(response);
    response.json({
      isDevelopment,
      isCookie: settings.refreshTokenAsCookie,
      emailVerification: settings.emailVerification,
      graceSeconds: settings.refreshReuseGrace,
      mfaMode: settings.mfaMode,
      dpop: settings.dpop,
      /** Whether the session of the cookie is bound to a key. */
      isBound: tokenOf(request, auth.tokens)?.claims.cnf !== undefined,
      publicUrl: settings.publicUrl,
      passkeyDomain,
      hasProviders: (settings.socialProviders ?? []).length > 0,
    });
  });
  app.get(CLIENT, express.static(LIBRARY, { setHeaders }));
  app.use(express.static(PAGE, { setHeaders }));
}

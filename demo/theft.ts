import type { Express, Request, Response } from 'express';
import type { JwtAllauth } from 'jwt-allauth';
import { Container } from 'typedi';
import { TheftController } from './theft.controller.js';
import { TokenFamilies } from './token-families.js';

/**
 * Lets the page show what becomes of a stolen refresh token: it watches the traffic of the auth endpoints, by whom each
 * token was presented and which came back. For a machine of one's own only; where tokens travel in bodies there is
 * nothing.
 */
export function stageTheft(app: Express, { events, settings, tokens }: JwtAllauth) {
  if (!settings.refreshTokenAsCookie) return [];
  const families = new TokenFamilies(tokens, settings.refreshReuseGrace);
  Container.set(TokenFamilies, families);
  app.use('/auth', (request: Request, response: Response, next: () => void) => {
    response.once('finish', () => families.saw(request, response));
    next();
  });
  events.on('session.revoked', ({ session, reason }) => families.find(session)?.ended(reason));
  return [TheftController];
}

import type { Express, Request, Response } from 'express';
import type { JwtAllauth } from 'jwt-allauth';
import { Container } from 'typedi';
import { TheftController } from './theft.controller.js';
import { TokenFamilies } from './token-families.js';

/**
 * Adds the theft demo: it watches the traffic of the auth endpoints and records which token was presented, by whom, and
 * which one was returned. Use it only on your own machine. If tokens travel in bodies, it does nothing.
 */
export function installTheftDemo(app: Express, { events, settings, tokens }: JwtAllauth) {
  if (!settings.refreshTokenAsCookie) return [];
  const families = new TokenFamilies(tokens, settings.refreshReuseGrace);
  Container.set(TokenFamilies, families);
  app.use('/auth', (request: Request, response: Response, next: () => void) => {
    response.once('finish', () => families.record(request, response));
    next();
  });
  events.on('session.revoked', ({ session, reason }) => families.find(session)?.recordEnd(reason));
  return [TheftController];
}

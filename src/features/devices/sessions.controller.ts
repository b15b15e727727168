import { CurrentUser, Delete, Get, OnUndefined, Param, Post } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { authError } from '../../error-table.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import type { SessionService } from '../../sessions/session.service.js';
import type { SessionInfo } from '../../sessions/session-info.js';
import { isUuid } from '../../users/user-key.js';

/** A session as its user sees it; times in ISO 8601. */
type SessionBody = SessionInfo & { readonly current: boolean };

/** The routes that list and revoke the user's sessions. */
export function createSessionsController(
  { sessions }: { readonly sessions: SessionService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { name: 'sessions', isBearer: true })
  class SessionsController {
    @Get('/sessions')
    @DescribeRoute({
      id: 'sessions',
      tag: 'Sessions',
      summary: 'List your sessions, most recently used first',
      answers: { 200: { description: 'At most 200 sessions.', json: { items: SESSION } } },
    })
    async list(@CurrentUser() { claims }: SessionPrincipal): Promise<SessionBody[]> {
      const ownSessions = await sessions.listFor(claims);
      return ownSessions.map(({ id, ...rest }) => ({ id, current: id === claims.session, ...rest }));
    }

    @Delete('/sessions/:id')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'revokeSession',
      tag: 'Sessions',
      summary: 'Revoke one of your sessions',
      answers: { 204: { description: 'The session was revoked.' } },
      errors: [ErrorCode.SessionNotFound],
    })
    async revoke(@CurrentUser() { claims }: SessionPrincipal, @Param('id') id: string): Promise<void> {
      const revoked = isUuid(id) ? await sessions.revokeFor(claims, { session: id }) : 0;
      if (revoked === 0) throw authError('session_not_found');
    }

    @Post('/sessions/revoke-others')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'revokeOtherSessions',
      tag: 'Sessions',
      summary: 'Revoke all your sessions except the current one',
      answers: { 204: { description: 'The other sessions were revoked.' } },
    })
    async revokeOthers(@CurrentUser() { claims }: SessionPrincipal): Promise<void> {
      await sessions.revokeFor(claims, 'others');
    }
  }
  return SessionsController;
}

const text: JsonSchema = { type: 'string' };
const maybeText: JsonSchema = { type: ['string', 'null'] };
const instant: JsonSchema = { type: 'string', format: 'date-time' };
const SESSION: NamedSchema = {
  name: 'AuthSession',
  schema: closedObject({
    id: { ...text, format: 'uuid' },
    current: { type: 'boolean', description: 'Whether the access token belongs to this session.' },
    createdAt: instant,
    lastUsedAt: { ...instant, description: 'Rounded to the minute. A refresh shows up when its grace period is over.' },
    expiresAt: { ...instant, description: 'When the session expires if it is not used, rounded to the minute.' },
    ip: maybeText,
    browser: maybeText,
    os: maybeText,
    device: maybeText,
  }),
};

import { getMetadataArgsStorage } from 'routing-controllers';
import type { IRoute } from 'routing-controllers-openapi';
import { isFresh } from '../authentication/fresh.js';
import { SecondFactor } from '../authentication/second-factor.js';
import { ErrorCode } from '../error.js';
import { isFromOwnOrigin } from '../http/from-own-origin.decorator.js';
import { appliesTo } from './applies-to.js';
import type { OpenApiOperation, OpenApiResponse } from './open-api-document.js';
import { problemAnswer } from './problem-answer.js';
import { BEARER } from './security-schemes.js';

/**
 * Derives from the decorators of a route of the app (`@Authorized`, `@CurrentUser`, `@FromOwnOrigin`) whether it
 * needs an access token, and the responses 401 and 403 to requests that it refuses.
 */
export function accessOf({ action, params }: IRoute): {
  readonly security?: OpenApiOperation['security'];
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
} {
  const { responseHandlers, uses } = getMetadataArgsStorage();
  const appliesToAction = appliesTo(action.target, action.method);
  const rules = responseHandlers.filter((handler) => handler.type === 'authorized' && appliesToAction(handler));
  // `@Authorized()` without a role or rule has the value undefined: it refuses no user who is signed in.
  const given = rules.flatMap(({ value }) => [value].flat()).filter((rule) => rule !== undefined);
  const stepUps = [
    ...(given.some(isFresh) ? [ErrorCode.ReauthenticationRequired] : []),
    ...(given.includes(SecondFactor) ? [ErrorCode.SecondFactorRequired] : []),
  ];
  const canRefuseUser = given.some((rule) => !isFresh(rule) && rule !== SecondFactor);
  const user = params.find(({ type }) => type === 'current-user');
  const isOriginChecked = uses.some((use) => isFromOwnOrigin(use.middleware) && appliesToAction(use));
  const refusals = [
    ...(canRefuseUser ? [ErrorCode.PermissionDenied] : []),
    ...(isOriginChecked ? [ErrorCode.CsrfFailed] : []),
  ];
  const forbidden = refusals.length > 0 && { 403: problemAnswer(403, refusals) };
  if (rules.length === 0 && !user) return { responses: { ...forbidden } };
  const isTokenNeeded = rules.length > 0 || user?.required === true;
  const codes = [...(isTokenNeeded ? [ErrorCode.NotAuthenticated] : []), ErrorCode.TokenNotValid, ...stepUps];
  return {
    // The empty object says that a request without a token is accepted too.
    security: [...(isTokenNeeded ? [] : [{}]), { [BEARER]: [] }],
    responses: {
      401: problemAnswer(401, codes),
      ...forbidden,
    },
  };
}

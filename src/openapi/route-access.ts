import { getMetadataArgsStorage } from 'routing-controllers';
import type { IRoute } from 'routing-controllers-openapi';
import { ErrorCode } from '../error.js';
import type { OpenApiOperation, OpenApiResponse } from './open-api-document.js';
import { problemAnswer } from './problem-answer.js';
import { BEARER } from './security-schemes.js';

/** What a route of the app asks of who calls it, and what it answers where that is not given. */
export function accessOf({ action, params }: IRoute): {
  readonly security?: OpenApiOperation['security'];
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
} {
  const rules = getMetadataArgsStorage().responseHandlers.filter(
    ({ type, target, method }) =>
      type === 'authorized' && target === action.target && (method === undefined || method === action.method),
  );
  const isRuled = rules.some(({ value }) => [value].flat().some((rule) => rule !== undefined));
  const user = params.find(({ type }) => type === 'current-user');
  if (rules.length === 0 && !user) return { responses: {} };
  const isNeeded = rules.length > 0 || user?.required === true;
  const codes = [...(isNeeded ? [ErrorCode.NotAuthenticated] : []), ErrorCode.TokenNotValid];
  return {
    security: [...(isNeeded ? [] : [{}]), { [BEARER]: [] }],
    responses: {
      401: problemAnswer(401, codes),
      ...(isRuled && { 403: problemAnswer(403, [ErrorCode.PermissionDenied]) }),
    },
  };
}

import { isDeepStrictEqual } from 'node:util';
import { getOperation, getResponses, type IRoute } from 'routing-controllers-openapi';
import { ErrorCode } from '../error.js';
import type { JsonSchema } from '../http/json-schema.js';
import { emptyAnswer } from './answer.js';
import { mapSchemas } from './map-schemas.js';
import type { OpenApiOperation, OpenApiResponse } from './open-api-document.js';
import { PROBLEM, problemAnswer } from './problem-answer.js';
import { accessOf } from './route-access.js';
import { toJsonSchema } from './schema-dialect.js';
import { schemaReference } from './schema-reference.js';

/**
 * A route of the app as a document has it: what routing-controllers and `@OpenAPI` say, and what our checkers and our
 * error middleware add to it. Where both describe an answer, the app's words count.
 *
 * @param schemas those of its parameters, whose fields become parameters themselves
 */
export function appOperation(route: IRoute, schemas: Readonly<Record<string, JsonSchema>>): OpenApiOperation {
  const operation = getOperation(route, schemas as Parameters<typeof getOperation>[1]) as OpenApiOperation;
  const told = mapSchemas(operation, (schema) => toJsonSchema(withoutAnyPattern(schema)));
  const { security, responses } = accessOf(route);
  return {
    ...told,
    ...(security && !told.security && { security }),
    ...(told.parameters && {
      parameters: told.parameters.map((each) => ({ ...each, required: each.in === 'path' || each.required === true })),
    }),
    responses: {
      ...(readsBody(route) && { 400: problemAnswer(400, BODY_ERRORS) }),
      ...responses,
      ...emptyAnswers(route),
      default: ANY_PROBLEM,
      ...describedAnswers(route, told.responses),
    },
  };
}

/** Our error middleware answers every error of the app in one form. */
const ANY_PROBLEM: OpenApiResponse = {
  description: 'Any other error',
  content: { 'application/problem+json': { schema: schemaReference(PROBLEM) } },
};

/** What path-to-regexp writes for a parameter without a pattern. */
function withoutAnyPattern({ pattern, ...schema }: JsonSchema): JsonSchema {
  return pattern === undefined || pattern === '[^\\/#\\?]+?' ? schema : { pattern, ...schema };
}

const BODY_ERRORS = [ErrorCode.ValidationFailed, ErrorCode.MalformedJson, ErrorCode.BadRequest];

const readsBody = ({ params }: IRoute) => params.some(({ type }) => type === 'body' || type === 'body-param');

/** What `@OnUndefined` and `@OnNull` make of an action without a result. */
function emptyAnswers({ responseHandlers }: IRoute): Record<string, OpenApiResponse> {
  const handlers = responseHandlers.filter(({ type }) => type === 'on-undefined' || type === 'on-null');
  const statuses = handlers.map(({ value }) => value).filter((value): value is number => typeof value === 'number');
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      status < 400
        ? emptyAnswer('No content')
        : problemAnswer(status, [status === 404 ? ErrorCode.NotFound : ErrorCode.BadRequest]),
    ]),
  );
}

/** Without the success that the generator makes up, where an action has no result; and a 204 without a body. */
function describedAnswers(route: IRoute, responses: OpenApiOperation['responses']): Record<string, OpenApiResponse> {
  const isVoid = route.responseHandlers.some(({ type, value }) => type === 'on-undefined' && Number(value) < 400);
  const madeUp = isVoid ? getResponses(route) : {};
  const told = Object.entries(responses).filter(([status, response]) => !isDeepStrictEqual(response, madeUp[status]));
  return Object.fromEntries(
    told.map(([status, { content, ...response }]) => [
      status,
      content && status !== '204' ? { ...response, content } : response,
    ]),
  );
}

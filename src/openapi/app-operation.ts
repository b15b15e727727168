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
 * Describes a route of the app: what routing-controllers and `@OpenAPI` say, plus what the library's checkers and error
 * middleware add. If both describe a response, the app's description wins.
 *
 * @param schemas schemas of the route's parameters; their fields become parameters
 */
export function appOperation(route: IRoute, schemas: Readonly<Record<string, JsonSchema>>): OpenApiOperation {
  const operation = getOperation(route, schemas as Parameters<typeof getOperation>[1]) as OpenApiOperation;
  const described = mapSchemas(operation, (schema) => toJsonSchema(withoutAnyPattern(schema)));
  const { security, responses } = accessOf(route);
  return {
    ...described,
    ...(security && !described.security && { security }),
    ...(described.parameters && {
      parameters: described.parameters.map((each) => ({
        ...each,
        required: each.in === 'path' || each.required === true,
      })),
    }),
    responses: {
      ...(readsBody(route) && { 400: problemAnswer(400, BODY_ERRORS) }),
      ...responses,
      ...emptyAnswers(route),
      default: ANY_PROBLEM,
      ...describedAnswers(route, described.responses),
    },
  };
}

/** The library's error middleware sends every error of the app in this form. */
const ANY_PROBLEM: OpenApiResponse = {
  description: 'Any other error',
  content: { 'application/problem+json': { schema: schemaReference(PROBLEM) } },
};

/** Removes the pattern that path-to-regexp adds to a parameter without one. */
function withoutAnyPattern({ pattern, ...schema }: JsonSchema): JsonSchema {
  return pattern === undefined || pattern === '[^\\/#\\?]+?' ? schema : { pattern, ...schema };
}

const BODY_ERRORS = [ErrorCode.ValidationFailed, ErrorCode.MalformedJson, ErrorCode.BadRequest];

const readsBody = ({ params }: IRoute) => params.some(({ type }) => type === 'body' || type === 'body-param');

/** The responses that `@OnUndefined` and `@OnNull` set for an action without a result. */
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

/**
 * The described responses, without the successful one that the generator invents for an action without a result, and
 * with an empty 204.
 */
function describedAnswers(route: IRoute, responses: OpenApiOperation['responses']): Record<string, OpenApiResponse> {
  const isVoid = route.responseHandlers.some(({ type, value }) => type === 'on-undefined' && Number(value) < 400);
  const invented = isVoid ? getResponses(route) : {};
  const described = Object.entries(responses).filter(
    ([status, response]) => !isDeepStrictEqual(response, invented[status]),
  );
  return Object.fromEntries(
    described.map(([status, { content, ...response }]) => [
      status,
      content && status !== '204' ? { ...response, content } : response,
    ]),
  );
}

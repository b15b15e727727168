import { getOperation, type IRoute } from 'routing-controllers-openapi';
import { ErrorCode } from '../error.js';
import { emptyAnswer } from './answer.js';
import type { JsonSchema, OpenApiContent, OpenApiOperation, OpenApiResponse } from './open-api-document.js';
import { PROBLEM, problemAnswer } from './problem-answer.js';
import { accessOf } from './route-access.js';
import { toJsonSchema } from './schema-dialect.js';
import { schemaReference } from './schema-reference.js';

/**
 * A route of the app as a document has it: what routing-controllers and `@OpenAPI` say, and what our checkers and our error
 * middleware add to it. Where both describe an answer, the app's words count.
 *
 * @param schemas those of its parameters, whose fields become parameters themselves
 */
export function appOperation(route: IRoute, schemas: Readonly<Record<string, JsonSchema>>): OpenApiOperation {
  const told = getOperation(route, schemas as Parameters<typeof getOperation>[1]) as OpenApiOperation;
  const { security, responses } = accessOf(route);
  const { parameters, requestBody } = told;
  return {
    ...told,
    ...(security && !told.security && { security }),
    ...(parameters && {
      parameters: parameters.map(({ schema, ...parameter }) => ({
        ...parameter,
        required: parameter.in === 'path' || parameter.required === true,
        ...(schema && { schema: toJsonSchema(withoutAnyPattern(schema)) }),
      })),
    }),
    ...(requestBody && { requestBody: { ...requestBody, content: convert(requestBody.content) } }),
    responses: {
      ...(readsBody(route) && { 400: problemAnswer(400, BODY_ERRORS) }),
      ...responses,
      ...emptyAnswers(route),
      default: ANY_PROBLEM,
      ...Object.fromEntries(Object.entries(told.responses).map(([status, each]) => [status, answer(status, each)])),
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

function answer(status: string, { content, ...response }: OpenApiResponse): OpenApiResponse {
  return content && status !== '204' ? { ...response, content: convert(content) } : response;
}

function convert(content: OpenApiContent): OpenApiContent {
  const converted = Object.entries(content).map(([type, { schema, ...media }]) => [
    type,
    { ...media, ...(schema && { schema: toJsonSchema(schema) }) },
  ]);
  return Object.fromEntries(converted);
}

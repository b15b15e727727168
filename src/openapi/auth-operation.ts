import { ErrorCode } from '../error.js';
import { ERRORS } from '../error-table.js';
import { pageAnswer } from './answer.js';
import type {
  JsonSchema,
  OpenApiContent,
  OpenApiOperation,
  OpenApiRequestBody,
  OpenApiResponse,
} from './open-api-document.js';
import { problemAnswer } from './problem-answer.js';
import { schemaReference } from './schema-reference.js';
import { BEARER } from './security-schemes.js';

/** What one of our routes is told of; what follows from that, `toOpenApi` adds. */
export interface AuthOperation {
  /** The name of the method of `AuthClient` that requests it, where there is one. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Name of the security scheme that it needs. */
  readonly security?: string;
  /** Optional parameters of its query, with what they are for. */
  readonly query?: Readonly<Record<string, string>>;
  /** The body that it needs: the name of its schema, or for a form the schema itself. */
  readonly body?: string | { readonly form: JsonSchema };
  /** Whether a body is parsed even though it needs none. */
  readonly isParsed?: boolean;
  /** The answers of success, by status. */
  readonly answers: Readonly<Record<number, OpenApiResponse>>;
  /** Codes of errors that are special to it. */
  readonly errors?: readonly ErrorCode[];
  /** Whether foreign origins are refused. */
  readonly isGuarded?: boolean;
  /** Whether it can have been asked for too often. */
  readonly isLimited?: boolean;
  /** Whether it makes tokens, of the app's own class. */
  readonly isMinting?: boolean;
  /** Whether a person opens it: its errors are pages then. */
  readonly isPage?: boolean;
  /** Whether it can neither fail nor be kept from answering. */
  readonly isStatic?: boolean;
}

const { ValidationFailed, MalformedJson, NotAuthenticated, TokenNotValid, CsrfFailed, TooManyRequests } = ErrorCode;
const { PayloadTooLarge, UnsupportedMediaType, InternalError, ServiceUnavailable } = ErrorCode;
const { ReservedClaim, ClaimNotSerializable, TokenTooLarge } = ErrorCode;

/** The operation as a document has it, with the errors that come of what it reads and needs. */
export function toOpenApi(operation: AuthOperation, path: string): OpenApiOperation {
  const { id, tag, summary, description, security, body, isPage, query = {} } = operation;
  const schema = { type: 'string' };
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({ name, in: 'path', required: true, schema })),
    ...Object.entries(query).map(([name, text]) => ({ name, in: 'query', description: text, schema })),
  ];
  const errors = [...errorsOf(operation)];
  const toAnswer = (status: number, codes: readonly string[]) =>
    isPage ? pageAnswer(PAGES[status] ?? 'A page that says what went wrong.') : problemAnswer(status, codes);
  return {
    operationId: id,
    summary,
    ...(description && { description }),
    tags: [tag],
    ...(security && { security: [{ [security]: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBody(body) }),
    responses: {
      ...operation.answers,
      ...Object.fromEntries(errors.map(([status, codes]) => [status, toAnswer(status, codes)])),
    },
  };
}

const PAGES: Readonly<Record<number, string>> = {
  400: 'The page of a link that failed, or the form with what was wrong.',
  403: 'A page: the request comes from an origin that is not trusted.',
  429: 'A page: there were too many requests.',
  503: 'A page: the service is not available right now.',
};

/** The codes of all errors by status, in the order of the statuses. */
function errorsOf(operation: AuthOperation): Map<number, ErrorCode[]> {
  const { errors = [], body, isParsed, isGuarded, isLimited, isMinting, isPage, isStatic, security } = operation;
  if (isStatic) return new Map();
  const isRead = isParsed || body !== undefined;
  const isJson = isRead && !isPage;
  const codes = [
    ...(isJson && body !== undefined ? [ValidationFailed] : []),
    ...(isJson ? [MalformedJson, UnsupportedMediaType] : []),
    ...(security === BEARER ? [NotAuthenticated, TokenNotValid] : []),
    ...(isGuarded ? [CsrfFailed] : []),
    ...(isRead ? [PayloadTooLarge] : []),
    ...(isLimited ? [TooManyRequests] : []),
    InternalError,
    ...(isMinting ? [ReservedClaim, ClaimNotSerializable, TokenTooLarge] : []),
    ServiceUnavailable,
    ...errors,
  ];
  // A person who opens a bad link gets a page that says so, and no challenge.
  const byStatus = Map.groupBy(codes, (code) => (isPage && code === TokenNotValid ? 400 : ERRORS[code].status));
  return new Map([...byStatus].toSorted(([a], [b]) => a - b));
}

function requestBody(body: NonNullable<AuthOperation['body']>): OpenApiRequestBody {
  const content: OpenApiContent =
    typeof body === 'string'
      ? { 'application/json': { schema: schemaReference(body) } }
      : { 'application/x-www-form-urlencoded': { schema: body.form } };
  return { required: true, content };
}

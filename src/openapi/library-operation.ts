import { ErrorCode } from '../error.js';
import type { ErrorTable } from '../error-table.js';
import { AUTH_TRANSPORT } from '../http/auth-transport.js';
import type { RouteAnswer } from '../http/route-description.js';
import type { JwtAllauth } from '../jwt-allauth.js';
import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer, pageAnswer } from './answer.js';
import type { LibraryRoute } from './library-route.js';
import { inputName } from './library-schemas.js';
import type { OpenApiOperation, OpenApiParameter, OpenApiRequestBody, OpenApiResponse } from './open-api-document.js';
import { problemAnswer } from './problem-answer.js';
import { schemaReference } from './schema-reference.js';
import { BEARER } from './security-schemes.js';

const { BadRequest, ValidationFailed, MalformedJson, NotAuthenticated, TokenNotValid, CsrfFailed, TooManyRequests } =
  ErrorCode;
const { PayloadTooLarge, UnsupportedMediaType, InternalError, ServiceUnavailable } = ErrorCode;
const { ReauthenticationRequired, SecondFactorRequired } = ErrorCode;
const { ReservedClaim, ClaimNotSerializable, TokenTooLarge } = ErrorCode;
const { DpopProofMissing, DpopProofInvalid, UseDpopNonce } = ErrorCode;

/** Describes a route of the library, including the errors that follow from what it reads and needs. */
export function libraryOperation(
  route: LibraryRoute,
  { errors, settings }: Pick<JwtAllauth, 'errors' | 'settings'>,
): OpenApiOperation {
  const { path, description, isBearer, isBearerOptional, isPage } = route;
  const { body, cookie } = description;
  const schema = { type: 'string' };
  const parameters: OpenApiParameter[] = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({ name, in: 'path', required: true, schema })),
    ...Object.entries(description.query ?? {}).map(([name, text]) => ({
      name,
      in: 'query',
      description: text,
      schema,
    })),
  ];
  if (isTransportChosenByRequest(route)) parameters.push(TRANSPORT);
  if (takesProof(route)) parameters.push(PROOF);
  const schemes = [...(isBearer || isBearerOptional ? [BEARER] : []), ...(cookie ? [cookie.scheme] : [])];
  const toError = (status: number, codes: readonly string[]) =>
    isPage
      ? pageAnswer(PAGES[status] ?? 'An HTML page with the error.')
      : problemAnswer(status, codes, { isChallenge: status === 401 && canChallenge(route) });
  const successes = Object.entries(description.answers).map(([status, answer]) => [status, toResponse(answer)]);
  return {
    operationId: description.id,
    summary: description.summary,
    ...(description.description && { description: description.description }),
    tags: [description.tag],
    ...(schemes.length > 0 && { security: securityOf(schemes, isBearerOptional || description.isCookieOrBody) }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: requestBody(body, !description.isCookieOrBody) }),
    responses: {
      ...Object.fromEntries(successes),
      ...Object.fromEntries(
        [...errorsOf(route, errors, settings)].map(([status, codes]) => [status, toError(status, codes)]),
      ),
    },
  };
}

const PAGES: Readonly<Record<number, string>> = {
  400: 'The page for a link that cannot be used, or the form with the fault.',
  403: 'An HTML page: the request comes from an origin that is not trusted.',
  429: 'An HTML page: there were too many requests.',
  503: 'An HTML page: the service is not available right now.',
};

function toResponse({ description, headers, json, isPage }: RouteAnswer): OpenApiResponse {
  if (isPage) return pageAnswer(description, headers);
  if (!json) return emptyAnswer(description, headers);
  const schema =
    'items' in json ? { type: 'array', items: schemaReference(json.items.name) } : schemaReference(json.name);
  return jsonAnswer(description, schema, headers);
}

/** All error codes by status, sorted by status. */
function errorsOf(route: LibraryRoute, table: ErrorTable, { dpop }: Settings): Map<number, string[]> {
  const { description, isBearer, isBearerOptional, hasBody, isOriginChecked, isPage } = route;
  const { errors = [], body, isFresh, isLimited, isIssuingTokens, isStatic } = description;
  if (isStatic) return new Map();
  const isJson = hasBody && !isPage;
  const codes: string[] = [
    ...(isJson && body !== undefined ? [ValidationFailed] : []),
    ...(isJson ? [MalformedJson, UnsupportedMediaType] : []),
    ...(isBearer || isBearerOptional ? [NotAuthenticated, TokenNotValid] : []),
    ...(isFresh ? [ReauthenticationRequired, SecondFactorRequired] : []),
    ...(canChallenge(route) ? [SecondFactorRequired] : []),
    ...(isOriginChecked ? [CsrfFailed] : []),
    ...(hasBody ? [PayloadTooLarge] : []),
    ...(isTransportChosenByRequest(route) ? [BadRequest] : []),
    ...(takesProof(route) ? [DpopProofInvalid, UseDpopNonce] : []),
    ...(takesProof(route) && dpop === 'required' ? [DpopProofMissing] : []),
    ...(isLimited ? [TooManyRequests] : []),
    InternalError,
    ...(isIssuingTokens ? [ReservedClaim, ClaimNotSerializable, TokenTooLarge] : []),
    ServiceUnavailable,
    ...errors,
  ];
  const statusOf = (code: string) => {
    const row = table[code];
    if (!row) throw new TypeError(`${description.id} describes ${code}, which is not in any error table`);
    return row.status;
  };
  // A person who opens an invalid link gets a page with status 400 instead of the error with status 401.
  const byStatus = Map.groupBy(codes, (code) => (isPage && code === TokenNotValid ? 400 : statusOf(code)));
  const sent = [...byStatus].map(
    ([status, names]) => [status, names.map((name) => table[name]?.code ?? name)] as const,
  );
  return new Map(sent.toSorted(([a], [b]) => a - b));
}

/**
 * All schemes are required together. If they are optional, a request without any of them is allowed as well, because
 * the body can have the credential instead.
 */
function securityOf(schemes: readonly string[], isOptional = false): OpenApiOperation['security'] {
  const all = Object.fromEntries(schemes.map((scheme) => [scheme, []]));
  return isOptional ? [all, {}] : [all];
}

/** Whether the route can answer with the challenge of a second factor. */
function canChallenge({ description: { secondFactors } }: LibraryRoute): boolean {
  return secondFactors?.isInUse ?? false;
}

/** Whether the request chooses the transport of its refresh token. */
function isTransportChosenByRequest({ description: { answers } }: LibraryRoute): boolean {
  return Object.values(answers).some(({ isChosenByRequest }) => isChosenByRequest);
}

/** Whether a request can have a DPoP proof, to which the session is bound. */
function takesProof({ description, isPage }: LibraryRoute): boolean {
  return Boolean(description.isIssuingTokens) && !isPage;
}

const PROOF: OpenApiParameter = {
  name: 'DPoP',
  in: 'header',
  description: 'A DPoP proof (RFC 9449), which binds the session to its key. Requests to a bound session need it.',
  schema: { type: 'string' },
};

const TRANSPORT: OpenApiParameter = {
  name: AUTH_TRANSPORT,
  in: 'header',
  description: 'How the refresh token travels in this request and its response.',
  schema: { type: 'string', enum: ['cookie', 'body'], default: 'cookie' },
};

function requestBody(body: NonNullable<LibraryRoute['description']['body']>, required: boolean): OpenApiRequestBody {
  if ('form' in body) return { required, content: { 'application/x-www-form-urlencoded': { schema: body.form } } };
  const name = 'json' in body ? body.json.name : inputName(body);
  return { required, content: { 'application/json': { schema: schemaReference(name) } } };
}

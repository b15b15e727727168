export type { JsonSchema } from '../http/json-schema.js';
export { createOpenApiDocument, type OpenApiOptions } from './create-open-api-document.js';
export type {
  OpenApiDocument,
  OpenApiInfo,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiRequestBody,
  OpenApiResponse,
  OpenApiServer,
} from './open-api-document.js';

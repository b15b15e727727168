export { createOpenApiDocument, type OpenApiOptions } from './create-open-api-document.js';
export type {
  JsonSchema,
  OpenApiDocument,
  OpenApiInfo,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiRequestBody,
  OpenApiResponse,
  OpenApiServer,
} from './open-api-document.js';

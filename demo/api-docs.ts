import { fileURLToPath } from 'node:url';
import type { Application } from 'express';
import type { JwtAllauth } from 'jwt-allauth';
import { createOpenApiDocument } from 'jwt-allauth/openapi';
import type { RoutingControllersOptions } from 'routing-controllers';

const SCRIPT = fileURLToPath(import.meta.resolve('rapidoc/dist/rapidoc-min.js'));

/** The page loads nothing from other servers, and sends requests only to this one. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'", // RapiDoc inserts its styles into the page
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The API of the demo</title>
<link rel="icon" href="data:,">
<script type="module" src="/docs/rapidoc.js"></script>
<rapi-doc spec-url="/openapi.json" load-fonts="false" theme="light" render-style="read" schema-style="table"
  show-header="false" allow-server-selection="false" fetch-credentials="same-origin" show-method-in-nav-bar="as-colored-text">
</rapi-doc>
</html>
`;

/** Serves the OpenAPI document at `/openapi.json`, and a page at `/docs` that can send every request. */
export function serveApiDocs(app: Application, auth: JwtAllauth, options: RoutingControllersOptions): void {
  const document = createOpenApiDocument(auth, options, { info: { title: 'jwt-allauth demo', version: '1' } });
  app.get('/openapi.json', (_request, response) => void response.json(document));
  app.get('/docs/rapidoc.js', (_request, response) => response.sendFile(SCRIPT));
  app.get('/docs', (_request, response) => {
    response.setHeader('Content-Security-Policy', POLICY);
    response.type('html').send(PAGE);
  });
}

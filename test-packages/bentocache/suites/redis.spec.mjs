import { registerSuite } from '../support/suite.mjs';

registerSuite('redis');

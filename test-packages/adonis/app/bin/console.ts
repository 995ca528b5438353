import { failed, ignitor } from './ignitor.js';

// `node ace …`
ignitor().ace().handle(process.argv.slice(2)).catch(failed);

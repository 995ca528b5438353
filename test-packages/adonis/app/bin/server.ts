import { failed, ignitor } from './ignitor.js';

ignitor().httpServer().start().catch(failed);

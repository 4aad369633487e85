/** The service worker of the recipe, as an application would write it. */
import { answerKinesisRequests } from "millrace/aws";

declare const self: ServiceWorkerGlobalScope;

answerKinesisRequests(self);

// What a page of the console does beyond plain HTML: it keeps its regions up to date and adds local times.
import { localTimes } from "./times.js";
import { follow } from "./live.js";

localTimes(document);
follow();

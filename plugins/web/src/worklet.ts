/** Everything this library runs on the audio thread, as one module: `addModule` loads it. */
import './capture/capture-worklet';
import './playback/player-worklet';

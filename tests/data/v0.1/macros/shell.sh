# Recorded by napari-cellinr
# with napari-cellinr 0.1.0, torch 2.13.0
napari-cellinr denoise inputs/cells.tif clean.tif --background-output background.tif --voxel Y=0.1,X=0.1 --set background=keep --set preset=preview --set steps=10 --set seed=3 --save-model cells.cellinr --conventional 'cells denoised conventional.tif'
# failed: cellinr.denoise('cells', steps=0, seed=0): no step
napari-cellinr render cells.cellinr rendered.tif --scale Y=2.0
napari-cellinr compare clean.tif 'cells denoised conventional.tif' --difference difference.tif
napari-cellinr denoise inputs/cells.tif again.ome.tif --voxel Y=0.1,X=0.1 --warm-start cells.cellinr --set preset=preview --set steps=5 --set seed=1
napari-cellinr reconstruct inputs/movie.tif scene.tif --speed speed.tif --set preset=preview --set steps=10 --optics '{"kind": "line-scan", "row_time": 0.01}' --set seed=0 --save-model 'movie reconstructed.cellinr'
napari-cellinr show-motion 'movie reconstructed.cellinr' motion.csv --every 6 --shortest 0
napari-cellinr superresolve inputs/movie.tif finer.tif --set preset=preview --set scale=T=2.0 --set seed=2

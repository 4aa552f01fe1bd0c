addpath('matlab'); addpath('shim');
warning('off','all');
N=14; S=3; Q=2; T=9; E=6;
[n,s,q,t] = ndgrid(1:N,1:S,1:Q,1:T);
X0 = 10 + 3*sin(0.7*n+0.9*t) .* (1 + 0.2*cos(n)) ...
   + 2*cos(1.3*n).*(s-2).*t/T + 1.5*sin(2.1*n+0.5).*(2*q-3).*(t>4).*(1+0.1*t) ...
   + 0.6*cos(0.4*n.^2).*(s-2).*(2*q-3).*cos(0.5*t) + 0.4*sin(n.*s+t) + 0.3*cos(n.*q-0.7*t.*s);
idx = reshape(0:(N*S*Q*T*E-1), [N S Q T E]);
noise = mod(idx.^2*7 + idx*31, 10007)/10007 - 0.5;
Xt = bsxfun(@plus, X0, 6*noise);
combined = {{1,[1 3]},{2,[2 3]},{3},{[1 2],[1 2 3]}};
% simultaneous: the same number of trials for each neuron
[sn,ss,sq] = ndgrid(1:N,1:S,1:Q);
Ksim = 3 + mod(ss + 2*sq, 4);
Ksep = 3 + mod(sn + ss + 2*sq, 4);
function Y = cut(Xt, K)
  Y = Xt; d = size(Xt);
  for n=1:d(1), for s=1:d(2), for q=1:d(3)
    Y(n,s,q,:,K(n,s,q)+1:end) = NaN;
  end, end, end
end
function save_case(name, X, W, V, which, ev)
  f = ['out/' name '_'];
  dlmwrite([f 'W.csv'], W, 'precision', '%.17g'); dlmwrite([f 'V.csv'], V, 'precision', '%.17g');
  dlmwrite([f 'which.csv'], which); 
  dlmwrite([f 'componentVar.csv'], ev.componentVar, 'precision', '%.17g');
  dlmwrite([f 'margVar.csv'], ev.margVar, 'precision', '%.17g');
  dlmwrite([f 'cumulativePCA.csv'], ev.cumulativePCA, 'precision', '%.17g');
  if isempty(ev.cumulativeDPCA), ev.cumulativeDPCA = NaN; end
  dlmwrite([f 'cumulativeDPCA.csv'], ev.cumulativeDPCA, 'precision', '%.17g');
  dlmwrite([f 'totalVar.csv'], ev.totalVar, 'precision', '%.17g');
  dlmwrite([f 'totalMarginalizedVar.csv'], ev.totalMarginalizedVar, 'precision', '%.17g');
end
Xsim = nanmean(cut(Xt,Ksim),5); Xsep = nanmean(cut(Xt,Ksep),5);
Csim = dpca_getNoiseCovariance(Xsim, cut(Xt,Ksim), Ksim, 'simultaneous', true);
Csep = dpca_getNoiseCovariance(Xsep, cut(Xt,Ksep), Ksep, 'simultaneous', false);
Cave = dpca_getNoiseCovariance(Xsep, cut(Xt,Ksep), Ksep, 'simultaneous', false, 'type', 'averaged');
dlmwrite('out/Csim.csv', Csim, 'precision', '%.17g');
dlmwrite('out/Csep.csv', diag(Csep), 'precision', '%.17g');
lam = 5e-3;
% lambda is multiplied by the total variance, then squared
[W,V,m] = dpca(Xsim, [3 3 3 3], 'combinedParams', combined); save_case('plain', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
[W,V,m] = dpca(Xsim, [3 3 3 3], 'combinedParams', combined, 'lambda', lam); save_case('lambda', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
[W,V,m] = dpca(Xsim, [3 3 3 3], 'combinedParams', combined, 'lambda', [lam lam/10 0 2*lam]); save_case('lambdas', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
[W,V,m] = dpca(Xsim, [3 3 3 3], 'combinedParams', combined, 'lambda', lam, 'Cnoise', Csim); save_case('full', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
[W,V,m] = dpca(Xsim, [3 3 3 3], 'combinedParams', combined, 'Cnoise', Csim); save_case('full0', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
[W,V,m] = dpca(Xsep, [3 3 3 3], 'combinedParams', combined, 'lambda', lam, 'Cnoise', Csep); 
ev = dpca_explainedVariance(Xsep,W,V,'combinedParams',combined,'Cnoise',Csep,'numOfTrials',Ksep);
save_case('diagonal', Xsep, W, V, m, ev);
dlmwrite('out/diagonal_noise.csv', [ev.totalVar_noise ev.totalMarginalizedVar_signal], 'precision', '%.17g');
[W,V,m] = dpca(Xsim, ones(1,7), 'lambda', lam); save_case('apart', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V));
[W,V,m] = dpca(squeeze(Xsim(:,:,1,:)), [2 2], 'combinedParams', {{1,[1 2]},{2}}); save_case('one', Xsim, W, V, m, dpca_explainedVariance(squeeze(Xsim(:,:,1,:)),W,V,'combinedParams',{{1,[1 2]},{2}}));
% three factors and time
N4=10; [n,a,b,c,t] = ndgrid(1:N4,1:3,1:2,1:2,1:5);
X4 = 8+sin(n+t)+cos(2*n).*(a-2)+1.2*sin(3*n).*(2*b-3).*t+0.8*cos(0.5*n.^2).*(2*c-3).*sin(t)+0.5*sin(1.7*n).*(a-2).*(2*c-3)+0.4*cos(2.3*n).*(2*b-3).*(2*c-3).*t+0.3*sin(n.*a.*b+c.*t);
c4 = {{1,[1 4]},{2,[2 4]},{3,[3 4]},{4},{[1 2],[1 2 4]},{[1 3],[1 3 4]},{[2 3],[2 3 4]},{[1 2 3],[1 2 3 4]}};
[W,V,m] = dpca(X4, ones(1,8), 'combinedParams', c4, 'lambda', 1e-3); save_case('three', X4, W, V, m, dpca_explainedVariance(X4,W,V,'combinedParams',c4));
% lambda by cross-validation with known folds
lams = 1e-4*2.^(0:12);
Xs = cut(Xt,Ksim);
rand('reset');
[o, os] = dpca_optimizeLambda(Xsim, Xs, Ksim, 'numComps', [3 3 3 3], 'lambdas', lams, 'numRep', 3, 'display', 'no', 'combinedParams', combined, 'simultaneous', true, 'filename', 'out/cvsim.mat');
d = load('out/cvsim.mat'); dlmwrite('out/cvsim_errors.csv', d.errors, 'precision','%.17g'); 
dlmwrite('out/cvsim_marg.csv', reshape(d.errorsMarg, 4, []), 'precision','%.17g'); dlmwrite('out/cvsim_opt.csv', [o os(:)'], 'precision','%.17g');
rand('reset');
[o, os] = dpca_optimizeLambda(Xsep, cut(Xt,Ksep), Ksep, 'numComps', [3 3 3 3], 'lambdas', lams, 'numRep', 3, 'display', 'no', 'combinedParams', combined, 'simultaneous', false, 'filename', 'out/cvsep.mat');
d = load('out/cvsep.mat'); dlmwrite('out/cvsep_errors.csv', d.errors, 'precision','%.17g');
dlmwrite('out/cvsep_opt.csv', [o os(:)'], 'precision','%.17g');
% decoding accuracy with known folds
classes = {[1 1;2 2;3 3],[1 2;1 2;1 2],[],[1 2;3 4;5 6]};
rand('reset');
acc = dpca_classificationAccuracy(Xsim, Xs, Ksim, 'combinedParams', combined, 'lambda', lam, 'numRep', 7, 'numComps', 1, 'simultaneous', true, 'decodingClasses', classes, 'verbose', 'no');
dlmwrite('out/accuracy.csv', reshape(acc, size(acc,1), []), 'precision','%.17g');
disp('done')
[W,V,m] = dpca(Xsim, 3, 'combinedParams', combined); save_case('total', Xsim, W, V, m, dpca_explainedVariance(Xsim,W,V,'combinedParams',combined));
Xc = X0(:,:,:,1:3); Xc(5,:,:,:) = 7;  % a neuron that never varies
lamc = 1e-7;
[W,V,m] = dpca(Xc, [2 2 2 2], 'combinedParams', combined, 'lambda', lamc); save_case('constant', Xc, W, V, m, dpca_explainedVariance(Xc,W,V,'combinedParams',combined));
